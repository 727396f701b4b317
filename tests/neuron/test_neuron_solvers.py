"""Every solver comes to the optimum: that of scikit-learn or SciPy, or one with the marks of an optimum."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog, minimize
from sklearn.linear_model import ElasticNet, LinearRegression, LogisticRegression, Ridge
from sklearn.svm import SVC

from layerwise.neuron.solvers import dual, solve
from layerwise.neuron.solvers.interior import Box, solve_box
from layerwise.neuron.solvers.passes import Passes
from layerwise.neuron.solvers.problem import Problem
from layerwise.neuron.solvers.smooth import Objective, newton
from layerwise.neuron.solvers.truncated import newton_move
from layerwise.neuron.tables.losses import LOSSES

SEEDS = st.integers(0, 10_000)
SETTINGS = settings(deadline=None, max_examples=15)
SIGNED = ("hinge", "squared-hinge", "logistic")
NUMBERED = ("squared", "absolute", "huber")


def data(seed, rows=60, columns=5, kind="numbers", noise=1.0):
    random = np.random.default_rng(seed)
    inputs = random.normal(size=(rows, columns)) * random.uniform(0.2, 3, columns) + random.normal(size=columns)
    values = inputs @ random.normal(size=columns) * 0.7 + noise * random.normal(size=rows)
    if kind == "numbers":
        return inputs, values
    labels = np.where(values + random.normal(size=rows) > np.median(values), 1.0, -1.0)
    labels[:2] = -1, 1
    return inputs, labels


def objective(problem, weights, bias):
    """Compute the objective by the formulas of the table of losses, which no solver uses."""
    z = problem.inputs @ weights + bias
    targets = (problem.targets + 1) / 2 if problem.loss == "logistic" else problem.targets
    losses = LOSSES[problem.loss].value(z, targets)
    return problem.shares @ losses + problem.l1 * np.abs(weights).sum() + problem.l2 * (weights**2).sum()


def is_no_better_nearby(problem, solution, slack):
    weights, bias = solution.weights[0], solution.biases[0]
    best = objective(problem, weights, bias)
    assert solution.objective == pytest.approx(best, rel=1e-6, abs=1e-9)
    random = np.random.default_rng(0)
    for size in (1e-4, 1e-2, 1.0):
        for _ in range(20):
            other = weights + size * random.normal(size=len(weights)) * (random.random(len(weights)) < 0.5)
            elsewhere = bias + size * random.normal() if problem.intercept else bias
            assert objective(problem, other, elsewhere) >= best * (1 - slack) - 1e-12


@given(seed=SEEDS, l2=st.sampled_from([0.01, 0.3]), intercept=st.booleans(), loss=st.sampled_from(SIGNED + NUMBERED))
@SETTINGS
def test_nothing_nearby_is_better_than_the_solution_of_any_loss_with_l2(seed, l2, intercept, loss):
    inputs, targets = data(seed, kind="signs" if loss in SIGNED else "numbers")
    weights = np.random.default_rng(seed).integers(0, 4, len(targets)).astype(float)
    problem = Problem(inputs, targets, loss, l2=l2, intercept=intercept, weights=weights, tolerance=1e-8)
    solution = solve(problem)
    assert solution.converged
    is_no_better_nearby(problem, solution, 1e-7)


@given(
    seed=SEEDS, l1=st.sampled_from([0.01, 0.1]), loss=st.sampled_from(SIGNED + NUMBERED), l2=st.sampled_from([0, 0.05])
)
@SETTINGS
def test_nothing_nearby_is_better_than_the_solution_of_any_loss_with_l1(seed, l1, loss, l2):
    inputs, targets = data(seed, kind="signs" if loss in SIGNED else "numbers")
    problem = Problem(inputs, targets, loss, l1=l1, l2=l2, tolerance=1e-8)
    cornered = loss in ("hinge", "absolute")
    is_no_better_nearby(problem, solve(problem), 2e-3 if cornered else 1e-7)


@given(seed=SEEDS, outputs=st.integers(1, 3), rows=st.integers(2, 30), columns=st.integers(1, 30))
@SETTINGS
def test_least_squares_has_the_shortest_of_the_best_weights_as_in_scikit_learn(seed, outputs, rows, columns):
    random = np.random.default_rng(seed)
    inputs, targets = random.normal(size=(rows, columns)), random.normal(size=(rows, outputs))
    found = solve(Problem(inputs, targets, "squared"))
    oracle = LinearRegression().fit(inputs, targets)
    assert found.weights == pytest.approx(oracle.coef_, abs=1e-6, rel=1e-6)
    assert found.biases == pytest.approx(oracle.intercept_, abs=1e-6, rel=1e-6)


@pytest.mark.parametrize("loss", ["squared", "logistic", "hinge"])
@pytest.mark.parametrize("shape", [(6000, 60), (3000, 400)])
def test_the_solvers_of_large_data_agree_with_references(loss, shape):
    inputs, targets = data(3, *shape, kind="numbers" if loss == "squared" else "signs")
    inputs = (inputs - inputs.mean(0)) / inputs.std(0)
    l2 = 0.01
    solution = solve(Problem(inputs, targets, loss, l2=l2, tolerance=1e-7))
    problem = Problem(inputs, targets, loss, l2=l2)
    if loss == "squared":
        oracle = Ridge(alpha=l2 * len(inputs), solver="cholesky").fit(inputs, targets)
    elif loss == "logistic":
        oracle = LogisticRegression(C=1 / (2 * l2 * len(inputs)), tol=1e-10, max_iter=10_000).fit(inputs, targets)
    else:
        oracle = None
    assert solution.converged
    assert solution.solver.split()[0] in ("Gram", "conjugate", "Newton", "L-BFGS")
    if oracle is not None:
        best = objective(problem, np.ravel(oracle.coef_), np.ravel(oracle.intercept_)[0])
        assert objective(problem, solution.weights[0], solution.biases[0]) <= best * (1 + 1e-6)
    else:
        is_no_better_nearby(problem, solution, 1e-6)


@given(seed=SEEDS, l2=st.sampled_from([0.003, 0.1]))
@SETTINGS
def test_the_linear_svm_is_that_of_libsvm(seed, l2):
    inputs, labels = data(seed, kind="signs")
    problem = Problem(inputs, labels, "hinge", l2=l2, tolerance=1e-9)
    solution = solve(problem)
    oracle = SVC(kernel="linear", C=1 / (2 * l2 * len(inputs)), tol=1e-8).fit(inputs, labels)
    best = objective(problem, oracle.coef_[0], oracle.intercept_[0])
    assert objective(problem, solution.weights[0], solution.biases[0]) <= best * (1 + 1e-6)
    assert solution.weights[0] == pytest.approx(oracle.coef_[0], abs=2e-3)


@given(seed=SEEDS)
@settings(deadline=None, max_examples=10)
def test_the_absolute_error_without_penalty_is_the_solution_of_a_linear_programme(seed):
    inputs, targets = data(seed, rows=25, columns=3)
    found = solve(Problem(inputs, targets, "absolute", tolerance=1e-9))
    design = np.column_stack([inputs, np.ones(25), np.eye(25), -np.eye(25)])
    costs = np.concatenate([np.zeros(4), np.full(50, 1 / 25)])
    bounds = [(None, None)] * 4 + [(0, None)] * 50
    assert found.objective == pytest.approx(linprog(costs, A_eq=design, b_eq=targets, bounds=bounds).fun, rel=1e-6)


@given(
    seed=SEEDS, l1=st.sampled_from([0.02, 0.3]), mix=st.sampled_from([0.0, 0.4]), dtype=st.sampled_from(["f4", "f8"])
)
@SETTINGS
def test_lasso_and_elastic_net_are_those_of_scikit_learn_with_the_same_zeros(seed, l1, mix, dtype):
    inputs, targets = data(seed, rows=80, columns=12)
    inputs = inputs.astype(dtype)
    problem = Problem(inputs, targets, "squared", l1=l1, l2=mix * l1, tolerance=1e-10)
    alpha = l1 / 2 + mix * l1
    oracle = ElasticNet(alpha=alpha, l1_ratio=l1 / 2 / alpha, tol=1e-12, max_iter=100_000).fit(
        inputs.astype(float), targets
    )
    found = solve(problem)
    assert found.weights[0] == pytest.approx(oracle.coef_, abs=1e-4 if dtype == "f8" else 3e-3)
    assert ((found.weights[0] == 0) == (oracle.coef_ == 0)).mean() > (0.99 if dtype == "f8" else 0.9)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("l1", [0.02, 0.2])
def test_a_wide_lasso_fulfils_the_conditions_of_its_optimum(sparse, l1):
    random = np.random.default_rng(1)
    inputs = random.normal(size=(300, 900)) * (random.random((300, 900)) < 0.3)
    targets = inputs[:, :10] @ random.normal(size=10) + 0.1 * random.normal(size=300)
    given_inputs = sp.csr_matrix(inputs) if sparse else inputs
    found = solve(Problem(given_inputs, targets, "squared", l1=l1, tolerance=1e-9))
    assert found.solver == "coordinate descent on a working set"
    assert found.converged
    slopes = 2 * inputs.T @ (inputs @ found.weights[0] + found.biases[0] - targets) / 300
    active = found.weights[0] != 0
    assert 0 < active.sum() < 300
    assert slopes[active] == pytest.approx(-l1 * np.sign(found.weights[0][active]), abs=1e-5)
    assert (np.abs(slopes[~active]) <= l1 + 1e-6).all()


@pytest.mark.parametrize("loss", SIGNED + NUMBERED)
@pytest.mark.parametrize("l1", [0.0, 0.05])
def test_sparse_inputs_give_the_solution_of_the_same_numbers_in_an_array(loss, l1):
    inputs, targets = data(5, rows=200, columns=20, kind="signs" if loss in SIGNED else "numbers")
    inputs[np.random.default_rng(0).random(inputs.shape) < 0.7] = 0
    dense = Problem(inputs, targets, loss, l1=l1, l2=0.02, tolerance=1e-8)
    sparse = Problem(sp.csr_matrix(inputs), targets, loss, l1=l1, l2=0.02, tolerance=1e-8)
    assert solve(sparse).objective == pytest.approx(solve(dense).objective, rel=1e-5)
    assert solve(sparse).weights == pytest.approx(solve(dense).weights, abs=2e-3)


def test_logistic_regression_with_l1_has_the_zeros_of_scikit_learn():
    inputs, labels = data(2, rows=200, columns=10, kind="signs")
    found = solve(Problem(inputs, labels, "logistic", l1=0.03, tolerance=1e-10))
    oracle = LogisticRegression(l1_ratio=1, C=1 / (0.03 * 200), solver="saga", tol=1e-9, max_iter=100_000)
    oracle.fit(inputs, labels)
    assert found.weights[0] == pytest.approx(oracle.coef_[0], abs=1e-4)
    assert np.array_equal(found.weights[0] == 0, oracle.coef_[0] == 0)
    assert 0 < (found.weights == 0).sum() < 10


@pytest.mark.parametrize(("l1", "l2"), [(0.0, 0.0), (0.0, 0.02), (0.02, 0.0), (0.02, 0.02)])
def test_softmax_regression_is_at_the_minimum_of_cross_entropy(l1, l2):
    random = np.random.default_rng(4)
    inputs = random.normal(size=(150, 4)) + 1
    labels = (inputs @ random.normal(size=(4, 3)) + random.gumbel(size=(150, 3))).argmax(1)
    found = solve(Problem(inputs, labels, "cross-entropy", l1=l1, l2=l2, tolerance=1e-10), classes=3)

    def cost(at):
        weights, biases = at[:12].reshape(3, 4), at[12:]
        losses = LOSSES["cross-entropy"].value(inputs @ weights.T + biases, np.eye(3)[labels])
        return losses.mean() + l1 * np.abs(weights).sum() + l2 * (weights**2).sum()

    at = np.concatenate([found.weights.ravel(), found.biases])
    assert found.converged
    assert found.objective == pytest.approx(cost(at))
    assert found.objective <= minimize(cost, at, method="Powell", options={"maxiter": 3}).fun + 1e-8
    assert (found.weights == 0).any() == bool(l1)


def test_the_perceptron_separates_what_can_be_separated_and_averages_where_it_cannot():
    random = np.random.default_rng(0)
    inputs = random.normal(size=(100, 3))
    labels = np.where(inputs @ [1, -2, 0.5] > 0, 1.0, -1.0)
    apart = inputs + 0.1 * labels[:, None] * [1, -2, 0.5]
    found = solve(Problem(apart, labels, "perceptron"))
    assert ((apart @ found.weights[0] + found.biases[0]) * labels > 0).all()
    assert (found.solver, found.objective, found.distance) == ("perceptron rule", 0, 0)
    sparse = solve(Problem(sp.csr_matrix(apart), labels, "perceptron"))
    assert sparse.weights == pytest.approx(found.weights)
    labels[:5] *= -1
    mixed = solve(Problem(apart, labels, "perceptron", limit=50))
    assert mixed.solver == "perceptron rule, averaged"
    assert ((apart @ mixed.weights[0] + mixed.biases[0]) * labels > 0).mean() > 0.9


@pytest.mark.parametrize("touching", [False, True])
@pytest.mark.parametrize("classes", [2, 3])
def test_separable_classes_without_penalty_are_said_and_not_looped_on(touching, classes):
    inputs = np.repeat(np.arange(classes * 10.0), 2)[:, None] / 10
    labels = (inputs[:, 0] * 1.0).astype(int)
    if touching and classes == 2:  # one point that both classes have: quasi-complete separation
        inputs, labels = np.append(inputs, [[0.95], [0.95]], 0), np.append(labels, [0, 1])
    if classes == 2:
        found = solve(Problem(inputs, 2.0 * labels - 1, "logistic"))
    else:
        corners = np.array([[0, 0], [4, 0], [0, 4]])[labels] + np.random.default_rng(0).random((len(labels), 2))
        found = solve(Problem(corners, labels, "cross-entropy"), classes=3)
    assert "have no" in found.note or "has no" in found.note
    assert not found.converged
    assert found.iterations < 200


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("loss", ["logistic", "squared", "huber"])
def test_the_gradient_of_a_pass_is_the_difference_quotient_of_its_loss(dtype, loss):
    inputs, targets = data(1, rows=203, columns=7, kind="signs" if loss == "logistic" else "numbers")
    passes = Passes(Problem(inputs.astype(dtype), targets, loss, l2=0.1))
    random = np.random.default_rng(0)
    at, way, size = random.normal(size=7) / 3, random.normal(size=7), 1e-3
    _, gradient, slope = passes.evaluate(at, 0.1)
    up, down = passes.evaluate(at + size * way, 0.1 + size)[0], passes.evaluate(at - size * way, 0.1 - size)[0]
    assert gradient @ way + slope == pytest.approx((up - down) / (2 * size), rel=1e-3 if dtype == "f4" else 1e-5)


def test_the_result_does_not_depend_on_the_number_of_threads():
    inputs, labels = data(0, rows=40_000, columns=10, kind="signs")
    problem = Problem(inputs, labels, "logistic")
    one, three = Passes(problem, threads=1), Passes(problem, threads=3)
    first, second = one.evaluate(np.ones(10), 0.5), three.evaluate(np.ones(10), 0.5)
    assert first[0] == second[0]
    assert np.array_equal(first[1], second[1])


@pytest.mark.parametrize("intercept", [False, True])
def test_the_sparse_svm_by_its_dual_is_that_of_the_corner_that_is_rounded(intercept):
    random = np.random.default_rng(0)
    inputs = (random.random((300, 400)) < 0.05) * random.normal(size=(300, 400))
    labels = np.where(inputs[:, :20].sum(1) + 0.3 * random.normal(size=300) > -0.1, 1.0, -1.0)
    dense = solve(Problem(inputs, labels, "hinge", l2=0.003, intercept=intercept, tolerance=1e-8))
    sparse = solve(
        Problem(sp.csr_matrix(inputs), labels, "hinge", l2=0.003, intercept=intercept, tolerance=1e-6, limit=20_000)
    )
    assert sparse.solver == "dual coordinate descent, interior point"
    assert sparse.converged
    assert sparse.objective == pytest.approx(dense.objective, rel=1e-5)
    assert sparse.weights == pytest.approx(dense.weights, abs=5e-3)


@given(seed=SEEDS, size=st.integers(2, 25), equation=st.booleans(), rank=st.integers(1, 30))
@SETTINGS
def test_a_quadratic_programme_in_a_box_fulfils_the_conditions_of_its_optimum(seed, size, equation, rank):
    random = np.random.default_rng(seed)
    factors = random.normal(size=(size, rank)) * 10 ** random.uniform(-2, 2, (size, 1))
    products, linear, upper = factors @ factors.T, -random.random(size), random.uniform(0.1, 2, size)
    signs = np.where(np.arange(size) % 2, 1.0, -1.0)
    inside = random.uniform(0.2, 0.8, size) * upper
    box = Box(products, linear, upper, signs if equation else None, float(signs @ inside))
    found, multiplier, _ = solve_box(box, 1e-10)
    assert (found >= 0).all()
    assert (found <= upper).all()
    if equation:
        assert signs @ found == pytest.approx(box.total, abs=1e-8)
    slope = products @ found + linear + multiplier * signs * equation
    worth = abs(0.5 * found @ products @ found + linear @ found)
    assert (np.maximum(slope, 0) * found).sum() <= 1e-7 * (1 + worth)
    assert (np.maximum(-slope, 0) * (upper - found)).sum() <= 1e-7 * (1 + worth)


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("noise", [0.0, 3.0])
def test_a_sparse_svm_reaches_its_optimum_where_rows_differ_a_thousandfold_in_length(intercept, noise):
    random = np.random.default_rng(3)
    inputs = sp.random(400, 500, 0.05, "csr", random_state=random, data_rvs=lambda n: random.integers(1, 5, n) * 1.0)
    inputs = sp.csr_matrix(sp.diags(10 ** random.uniform(0, 3, 400)) @ inputs)
    labels = np.where(inputs.sign() @ random.normal(size=500) + noise * random.normal(size=400) > 0, 1.0, -1.0)
    problem = Problem(inputs, labels, "hinge", l2=1e-4, intercept=intercept, tolerance=1e-8)
    found = solve(problem)
    assert found.converged
    assert found.iterations < 200
    is_no_better_nearby(problem, found, 1e-7)
    assert found.distance <= 1e-8


def test_a_working_set_that_is_too_large_is_left_to_coordinate_descent(monkeypatch):
    inputs, labels = data(4, rows=120, columns=40, kind="signs")
    problem = Problem(sp.csr_matrix(inputs), labels, "hinge", l2=0.05, tolerance=1e-5, limit=5000)
    within = dual.solve_dual(problem)
    monkeypatch.setattr(dual, "MOST_SAMPLES", 3)
    without = dual.solve_dual(problem)
    assert (within.solver, without.solver) == ("dual coordinate descent, interior point", "dual coordinate descent")
    assert without.objective == pytest.approx(within.objective, rel=1e-4)


@pytest.mark.parametrize("l2", [0.0, 0.01])
@pytest.mark.parametrize("intercept", [False, True])
def test_sparse_least_squares_by_coarse_factors_is_that_of_the_singular_values(l2, intercept):
    random = np.random.default_rng(0)
    inputs = sp.random(700, 300, 0.05, "csr", random_state=random, data_rvs=lambda n: random.integers(1, 4, n) * 1.0)
    inputs = sp.csr_matrix(inputs @ sp.diags(10 ** random.uniform(0, 3, 300)))
    targets = random.normal(size=(700, 2))
    weights = random.integers(1, 4, 700).astype(float)
    given = {"l2": l2, "intercept": intercept, "weights": weights, "tolerance": 1e-9}
    found = solve(Problem(inputs, targets, "squared", **given))
    assert found.solver == "conjugate gradients by coarse Cholesky factors"
    assert found.iterations < 30
    roots = np.sqrt(weights / weights.sum())[:, None]
    design = np.column_stack([inputs.toarray(), np.ones((700, int(intercept)))])
    lifts = np.eye(design.shape[1])[:300] * np.sqrt(l2)
    best = np.linalg.lstsq(
        np.vstack([roots * design, lifts]), np.vstack([roots * targets, np.zeros((300, 2))]), rcond=None
    )[0]
    errors = roots * (design @ best - targets)
    assert found.objective == pytest.approx((errors**2).sum() + l2 * (best[:300] ** 2).sum(), rel=1e-7)


@pytest.mark.parametrize("loss", ["logistic", "squared-hinge", "huber"])
@pytest.mark.parametrize("intercept", [False, True])
def test_smooth_losses_on_sparse_columns_of_unequal_scale_reach_the_optimum_of_the_same_numbers(loss, intercept):
    random = np.random.default_rng(1)
    inputs = sp.random(500, 350, 0.05, "csr", random_state=random, data_rvs=lambda n: random.integers(1, 4, n) * 1.0)
    inputs = sp.csr_matrix(inputs @ sp.diags(10 ** random.uniform(-1, 2, 350)))
    values = inputs.sign() @ random.normal(size=350) + random.normal(size=500)
    targets = values if loss == "huber" else np.where(values > 0, 1.0, -1.0)
    given = {"l2": 1e-3, "intercept": intercept, "tolerance": 1e-9, "weights": random.integers(0, 3, 500) * 1.0}
    found = solve(Problem(inputs, targets, loss, **given))
    oracle = newton(Objective(Problem(inputs.toarray(), targets, loss, **given), 1e-12), sample=500)
    assert found.solver == "L-BFGS, Newton by conjugate gradients"
    assert found.converged
    assert found.objective == pytest.approx(oracle.point.value, rel=1e-7)
    is_no_better_nearby(Problem(inputs, targets, loss, **given), found, 1e-7)


def test_a_newton_move_solves_the_system_of_the_second_derivatives():
    inputs, labels = data(7, rows=80, columns=30, kind="signs")
    problem = Problem(sp.csr_matrix(inputs), labels, "logistic", l2=1e-3)
    goal = Objective(problem)
    point = goal.evaluate(np.random.default_rng(0).normal(size=31) / 10)
    hessian = goal.passes.hessian(10_000)
    move = newton_move(goal, point.gradient)
    exact = -np.linalg.solve(hessian, point.gradient)
    off = move - exact
    assert off @ hessian @ off <= 0.02 * (exact @ hessian @ exact)
