;; A policy that panics in each review as runtimes do: it logs a line, sets the error, and traps.
(module
  ;; (answer, its size)
  (import "wapc" "__guest_response" (func $response (param i32 i32)))
  ;; (text, its size)
  (import "wapc" "__console_log" (func $console_log (param i32 i32)))
  (import "wapc" "__guest_error" (func $error (param i32 i32)))

  (memory (export "memory") 1)

  (data (i32.const 16) "{\"valid\":true}")
  ;; All settings are good: 17 is the size of `validate_settings`, as 8 is that of `validate`.
  (func $are_settings (param $operation i32) (result i32)
    (if (i32.ne (local.get $operation) (i32.const 17)) (then (return (i32.const 0))))
    (call $response (i32.const 16) (i32.const 14))
    (i32.const 1))

  (data (i32.const 64) "panicked at policy.wat: oh dear")
  (data (i32.const 96) "the policy panicked: oh dear")

  ;; (size of the operation's name, size of the payload) → 1 for success
  (func (export "__guest_call") (param $operation i32) (param $payload i32) (result i32)
    (if (call $are_settings (local.get $operation)) (then (return (i32.const 1))))
    (call $console_log (i32.const 64) (i32.const 31))
    (call $error (i32.const 96) (i32.const 28))
    (unreachable))

  (@custom "io.kubewarden.metadata"
    "{\"protocolVersion\":\"v1\",\"rules\":[],\"mutating\":false,\"executionMode\":\"kubewarden-wapc\"}"))
