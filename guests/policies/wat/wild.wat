;; A policy that gives a host function a place that is not in its memory. Which function and which argument,
;; its setting `call` says. Where the host lets that pass, the review is accepted.
(module
  ;; (answer, its size)
  (import "wapc" "__guest_response" (func $response (param i32 i32)))
  ;; (where to put the operation's name, where to put the payload)
  (import "wapc" "__guest_request" (func $request (param i32 i32)))
  (import "wapc" "__guest_error" (func $error (param i32 i32)))
  ;; (binding, its size, namespace, its size, operation, its size, payload, its size) → 1 for an answer
  (import "wapc" "__host_call"
    (func $host_call (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wapc" "__host_response" (func $host_response (param i32)))
  (import "wapc" "__host_error" (func $host_error (param i32)))
  (import "wapc" "__console_log" (func $console_log (param i32 i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock_time_get (param i32 i64 i32) (result i32)))

  (memory (export "memory") 32)

  (data (i32.const 16) "{\"valid\":true}")
  ;; All settings are good: 17 is the size of `validate_settings`, as 8 is that of `validate`.
  (func $are_settings (param $operation i32) (result i32)
    (if (i32.ne (local.get $operation) (i32.const 17)) (then (return (i32.const 0))))
    (call $response (i32.const 16) (i32.const 14))
    (i32.const 1))

  ;; A host call that is refused, and one that is not.
  (data (i32.const 512) "kubewarden")
  (data (i32.const 528) "kubernetes") (data (i32.const 544) "get_resource")
  (data (i32.const 560) "{}}")
  (data (i32.const 576) "tracing") (data (i32.const 592) "log")
  (data (i32.const 608) "{\"message\":\"m\",\"level\":\"info\"}")

  ;; The answers.
  (data (i32.const 640) "{\"accepted\":true,\"warnings\":[\"WASI gave the number 00\"]}")
  (data (i32.const 768) "{\"accepted\":true}")

  ;; What the setting `call` may say.
  (data (i32.const 1024) "\"call\":\"request-operation\"")
  (data (i32.const 1072) "\"call\":\"request-payload\"")
  (data (i32.const 1120) "\"call\":\"response\"")
  (data (i32.const 1168) "\"call\":\"response-size\"")
  (data (i32.const 1216) "\"call\":\"error\"")
  (data (i32.const 1264) "\"call\":\"error-size\"")
  (data (i32.const 1312) "\"call\":\"host-call-binding\"")
  (data (i32.const 1360) "\"call\":\"host-call-namespace\"")
  (data (i32.const 1408) "\"call\":\"host-call-operation\"")
  (data (i32.const 1456) "\"call\":\"host-call-payload\"")
  (data (i32.const 1504) "\"call\":\"host-error\"")
  (data (i32.const 1552) "\"call\":\"host-response\"")
  (data (i32.const 1600) "\"call\":\"console-log\"")
  (data (i32.const 1648) "\"call\":\"console-log-size\"")
  (data (i32.const 1696) "\"call\":\"fd-write\"")
  (data (i32.const 1744) "\"call\":\"random-get\"")
  (data (i32.const 1792) "\"call\":\"clock-time-get\"")

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
    (local $status i32)
    (if (call $are_settings (local.get $operation)) (then (return (i32.const 1))))
    (call $request (i32.const 256) (i32.const 65536))
    (if (call $payload_has (local.get $payload) (i32.const 1024) (i32.const 26))
      (then
        (call $request (i32.const -16) (i32.const 65536))))
    (if (call $payload_has (local.get $payload) (i32.const 1072) (i32.const 24))
      (then
        (call $request (i32.const 256) (i32.const -16))))
    (if (call $payload_has (local.get $payload) (i32.const 1120) (i32.const 17))
      (then
        (call $response (i32.const -16) (i32.const 32))))
    (if (call $payload_has (local.get $payload) (i32.const 1168) (i32.const 22))
      (then
        (call $response (i32.const 16) (i32.const -1))))
    (if (call $payload_has (local.get $payload) (i32.const 1216) (i32.const 14))
      (then
        (call $error (i32.const -16) (i32.const 32))))
    (if (call $payload_has (local.get $payload) (i32.const 1264) (i32.const 19))
      (then
        (call $error (i32.const 16) (i32.const -1))))
    (if (call $payload_has (local.get $payload) (i32.const 1312) (i32.const 26))
      (then
        (drop
          (call $host_call
            (i32.const -16) (i32.const 32)
            (i32.const 528) (i32.const 10)
            (i32.const 544) (i32.const 12)
            (i32.const 560) (i32.const 3)))))
    (if (call $payload_has (local.get $payload) (i32.const 1360) (i32.const 28))
      (then
        (drop
          (call $host_call
            (i32.const 512) (i32.const 10)
            (i32.const -16) (i32.const 32)
            (i32.const 544) (i32.const 12)
            (i32.const 560) (i32.const 3)))))
    (if (call $payload_has (local.get $payload) (i32.const 1408) (i32.const 28))
      (then
        (drop
          (call $host_call
            (i32.const 512) (i32.const 10)
            (i32.const 528) (i32.const 10)
            (i32.const -16) (i32.const 32)
            (i32.const 560) (i32.const 3)))))
    (if (call $payload_has (local.get $payload) (i32.const 1456) (i32.const 26))
      (then
        (drop
          (call $host_call
            (i32.const 512) (i32.const 10)
            (i32.const 528) (i32.const 10)
            (i32.const 544) (i32.const 12)
            (i32.const -16) (i32.const 32)))))
    (if (call $payload_has (local.get $payload) (i32.const 1504) (i32.const 19))
      (then
        (drop
          (call $host_call
            (i32.const 512) (i32.const 10)
            (i32.const 528) (i32.const 10)
            (i32.const 544) (i32.const 12)
            (i32.const 560) (i32.const 3)))
        (call $host_error (i32.const -16))))
    (if (call $payload_has (local.get $payload) (i32.const 1552) (i32.const 22))
      (then
        (drop
          (call $host_call
            (i32.const 512) (i32.const 10)
            (i32.const 576) (i32.const 7)
            (i32.const 592) (i32.const 3) (i32.const 608) (i32.const 30)))
        (call $host_response (i32.const -16))))
    (if (call $payload_has (local.get $payload) (i32.const 1600) (i32.const 20))
      (then
        (call $console_log (i32.const -16) (i32.const 32))))
    (if (call $payload_has (local.get $payload) (i32.const 1648) (i32.const 25))
      (then
        (call $console_log (i32.const 16) (i32.const -1))))
    (if (call $payload_has (local.get $payload) (i32.const 1696) (i32.const 17))
      (then
        (local.set $status (call $fd_write (i32.const 1) (i32.const -16) (i32.const 1) (i32.const 256)))))
    (if (call $payload_has (local.get $payload) (i32.const 1744) (i32.const 19))
      (then
        (local.set $status (call $random_get (i32.const -16) (i32.const 32)))))
    (if (call $payload_has (local.get $payload) (i32.const 1792) (i32.const 23))
      (then
        (local.set $status (call $clock_time_get (i32.const 0) (i64.const 1) (i32.const -16)))))
    ;; WASI has numbers for a place that is none, and here one of them is due: the review is accepted with it.
    (if (local.get $status)
      (then
        (i32.store8 (i32.const 691) (i32.add (i32.const 48) (i32.div_u (local.get $status) (i32.const 10))))
        (i32.store8 (i32.const 692) (i32.add (i32.const 48) (i32.rem_u (local.get $status) (i32.const 10))))
        (call $response (i32.const 640) (i32.const 56))
        (return (i32.const 1))))
    (call $response (i32.const 768) (i32.const 17))
    (i32.const 1))

  (@custom "io.kubewarden.metadata"
    "{\"protocolVersion\":\"v1\",\"rules\":[],\"mutating\":false,\"executionMode\":\"kubewarden-wapc\"}"))
