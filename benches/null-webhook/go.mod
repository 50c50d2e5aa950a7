module null-webhook

go 1.24
