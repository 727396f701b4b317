"""The pieces of a plain-PyTorch script: what each part of a run looks like without this package."""
