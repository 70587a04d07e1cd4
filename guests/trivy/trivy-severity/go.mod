module wharf.example/trivy-severity

go 1.24
