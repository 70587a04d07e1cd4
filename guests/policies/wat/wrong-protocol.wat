;; A policy that says it speaks protocol v2. Its metadata do not name the protocol, so that it is asked.
(module
  ;; (answer, its size)
  (import "wapc" "__guest_response" (func $response (param i32 i32)))

  (memory (export "memory") 1)

  (data (i32.const 16) "\"v2\"")
  (func (export "__guest_call") (param $operation i32) (param $payload i32) (result i32)
    (call $response (i32.const 16) (i32.const 4))
    (i32.const 1))

  (@custom "io.kubewarden.metadata"
    "{\"rules\":[],\"mutating\":false,\"executionMode\":\"kubewarden-wapc\"}"))
