module wharf.example/trivy-packages

go 1.24
