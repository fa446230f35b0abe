"""IAM, KMS and S3 policy documents: pure functions that return plain data."""
