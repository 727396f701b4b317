"""Tables: from CSV and Parquet files to encoded columns and a target."""
