module wharf.example/go-headers

go 1.24
