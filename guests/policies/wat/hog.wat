;; A policy that in each review grows its memory until that is refused, writes to what it got, and traps.
(module
  ;; (answer, its size)
  (import "wapc" "__guest_response" (func $response (param i32 i32)))

  (memory (export "memory") 1)

  (data (i32.const 16) "{\"valid\":true}")
  ;; All settings are good: 17 is the size of `validate_settings`, as 8 is that of `validate`.
  (func $are_settings (param $operation i32) (result i32)
    (if (i32.ne (local.get $operation) (i32.const 17)) (then (return (i32.const 0))))
    (call $response (i32.const 16) (i32.const 14))
    (i32.const 1))

  ;; (size of the operation's name, size of the payload) → 1 for success
  (func (export "__guest_call") (param $operation i32) (param $payload i32) (result i32)
    (local $page i32)
    (if (call $are_settings (local.get $operation)) (then (return (i32.const 1))))
    (loop $more
      (local.set $page (memory.grow (i32.const 16)))
      (if (i32.ne (local.get $page) (i32.const -1))
        (then
          (memory.fill
            (i32.shl (local.get $page) (i32.const 16)) (i32.const 255) (i32.const 1048576))
          (br $more))))
    (unreachable))

  (@custom "io.kubewarden.metadata"
    "{\"protocolVersion\":\"v1\",\"rules\":[],\"mutating\":false,\"executionMode\":\"kubewarden-wapc\"}"))
