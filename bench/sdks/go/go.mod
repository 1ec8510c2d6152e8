module sdks

go 1.24
