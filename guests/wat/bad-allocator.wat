;; A filter whose allocator gives an address outside its memory. `on_request_headers` asks for the path, and
;; continues whatever the host answers.
(module
  ;; (map, name, name's size, where to put the value's address, where to put its size) → status
  (import "env" "proxy_get_header_map_value"
    (func $proxy_get_header_map_value (param i32 i32 i32 i32 i32) (result i32)))

  (memory (export "memory") 1)
  ;; The version of the ABI that this filter speaks. The host looks for the name; the function is not called.
  (func (export "proxy_abi_version_0_2_1"))

  (func $allocate (export "proxy_on_memory_allocate") (param i32) (result i32)
    (i32.const -16))

  (data (i32.const 16) ":path")
  (func $on_request_headers (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (drop
      (call $proxy_get_header_map_value
        (i32.const 0) (i32.const 16) (i32.const 5) (i32.const 0) (i32.const 4)))
    (i32.const 0)))
