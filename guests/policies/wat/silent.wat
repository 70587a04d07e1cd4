;; A policy that answers nothing in its reviews. It calls that a success, a failure where its settings are
;; `{"returns":0}`, and neither where they are `{"returns":7}`.
(module
  ;; (answer, its size)
  (import "wapc" "__guest_response" (func $response (param i32 i32)))
  ;; (where to put the operation's name, where to put the payload)
  (import "wapc" "__guest_request" (func $request (param i32 i32)))

  (memory (export "memory") 32)

  (data (i32.const 16) "{\"valid\":true}")
  ;; All settings are good: 17 is the size of `validate_settings`, as 8 is that of `validate`.
  (func $are_settings (param $operation i32) (result i32)
    (if (i32.ne (local.get $operation) (i32.const 17)) (then (return (i32.const 0))))
    (call $response (i32.const 16) (i32.const 14))
    (i32.const 1))

  (data (i32.const 64) "{\"returns\":0}")
  (data (i32.const 80) "{\"returns\":7}")

  ;; Whether the payload, which is at 65536, has this text in it.
  (func $payload_has (param $payload i32) (param $text i32) (param $size i32) (result i32)
    (local $start i32) (local $index i32)
    (loop $next_start
      (if (i32.gt_u (i32.add (local.get $start) (local.get $size)) (local.get $payload))
        (then (return (i32.const 0))))
      (local.set $index (i32.const 0))
      (block $differs
        (loop $next
          (if (i32.eq (local.get $index) (local.get $size)) (then (return (i32.const 1))))
          (br_if $differs
            (i32.ne
              (i32.load8_u offset=65536 (i32.add (local.get $start) (local.get $index)))
              (i32.load8_u (i32.add (local.get $text) (local.get $index)))))
          (local.set $index (i32.add (local.get $index) (i32.const 1)))
          (br $next)))
      (local.set $start (i32.add (local.get $start) (i32.const 1)))
      (br $next_start))
    (unreachable))

  ;; (size of the operation's name, size of the payload) → 1 for success
  (func (export "__guest_call") (param $operation i32) (param $payload i32) (result i32)
    (if (call $are_settings (local.get $operation)) (then (return (i32.const 1))))
    ;; The name of the operation is of no interest. A payload that does not fit is the host's fault to find.
    (call $request (i32.const 256) (i32.const 65536))
    (if (call $payload_has (local.get $payload) (i32.const 64) (i32.const 13)) (then (return (i32.const 0))))
    (if (call $payload_has (local.get $payload) (i32.const 80) (i32.const 13)) (then (return (i32.const 7))))
    (i32.const 1))

  (@custom "io.kubewarden.metadata"
    "{\"protocolVersion\":\"v1\",\"rules\":[],\"mutating\":false,\"executionMode\":\"kubewarden-wapc\"}"))
