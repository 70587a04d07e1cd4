module wharf.example/policy-replicas

go 1.24
