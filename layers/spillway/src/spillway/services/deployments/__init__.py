"""What users do to deployments, see of them, and try on."""
