;; A filter that traps in the callback that the path names: `/trap-on-request-headers`,
;; `/trap-on-request-body`, `/trap-on-request-trailers`, `/trap-on-response-headers`,
;; `/trap-on-response-body`, `/trap-on-response-trailers`, `/trap-on-done`, `/trap-on-log` or
;; `/trap-on-delete`. The path need only begin so. All other requests pass.
(module
  ;; (map, name, name's size, where to put the value's address, where to put its size) → status
  (import "env" "proxy_get_header_map_value"
    (func $proxy_get_header_map_value (param i32 i32 i32 i32 i32) (result i32)))

  (memory (export "memory") 1)
  ;; The version of the ABI that this filter speaks. The host looks for the name; the function is not called.
  (func (export "proxy_abi_version_0_2_1"))
  ;; The host asks here for the memory of what it hands over. The heap is the rest of the only page, and 0 says
  ;; that it does not fit.
  (global $heap (mut i32) (i32.const 8192))
  (func $allocate (export "proxy_on_memory_allocate") (param $size i32) (result i32)
    (local $at i32)
    (if (i32.gt_u (local.get $size) (i32.sub (i32.const 65536) (global.get $heap)))
      (then (return (i32.const 0))))
    (local.set $at (global.get $heap))
    (global.set $heap (i32.add (local.get $at) (local.get $size)))
    (local.get $at))

  ;; Is this at the beginning of the request's path? To be asked while the request's headers are there: a host
  ;; may forget them when they have gone upstream.
  (data (i32.const 16) ":path")
  (func $path_starts_with (param $prefix i32) (param $size i32) (result i32)
    (local $path i32) (local $index i32)
    ;; Nothing on the heap outlives a callback, so that it can start over.
    (global.set $heap (i32.const 8192))
    ;; Map 0 is the request's headers. The value's address lands at 0, its size at 4.
    (if (call $proxy_get_header_map_value
          (i32.const 0) (i32.const 16) (i32.const 5) (i32.const 0) (i32.const 4))
      (then (return (i32.const 0))))
    (if (i32.lt_u (i32.load (i32.const 4)) (local.get $size))
      (then (return (i32.const 0))))
    (local.set $path (i32.load (i32.const 0)))
    (block $differs
      (loop $next
        (if (i32.eq (local.get $index) (local.get $size))
          (then (return (i32.const 1))))
        (br_if $differs
          (i32.ne
            (i32.load8_u (i32.add (local.get $path) (local.get $index)))
            (i32.load8_u (i32.add (local.get $prefix) (local.get $index)))))
        (local.set $index (i32.add (local.get $index) (i32.const 1)))
        (br $next)))
    (i32.const 0))

  ;; What a stream is to do is decided in its request headers and kept in a byte of a table, at its context's
  ;; id. Ids grow, so that two streams share a byte only when 4096 others lie between them.
  (func $stage_address (param $context i32) (result i32)
    (i32.add (i32.const 4096) (i32.and (local.get $context) (i32.const 4095))))
  (func $stage (param $context i32) (result i32)
    (i32.load8_u (call $stage_address (local.get $context))))

  (data (i32.const 32) "/trap-on-request-headers")
  (data (i32.const 64) "/trap-on-request-body")
  (data (i32.const 96) "/trap-on-request-trailers")
  (data (i32.const 128) "/trap-on-response-headers")
  (data (i32.const 160) "/trap-on-response-body")
  (data (i32.const 192) "/trap-on-response-trailers")
  (data (i32.const 224) "/trap-on-done")
  (data (i32.const 256) "/trap-on-log")
  (data (i32.const 288) "/trap-on-delete")

  ;; The number of the callback that the path names, 0 for none.
  (func $stage_of_path (result i32)
    (if (call $path_starts_with (i32.const 32) (i32.const 24))
      (then (return (i32.const 1))))
    (if (call $path_starts_with (i32.const 64) (i32.const 21))
      (then (return (i32.const 2))))
    (if (call $path_starts_with (i32.const 96) (i32.const 25))
      (then (return (i32.const 3))))
    (if (call $path_starts_with (i32.const 128) (i32.const 25))
      (then (return (i32.const 4))))
    (if (call $path_starts_with (i32.const 160) (i32.const 22))
      (then (return (i32.const 5))))
    (if (call $path_starts_with (i32.const 192) (i32.const 26))
      (then (return (i32.const 6))))
    (if (call $path_starts_with (i32.const 224) (i32.const 13))
      (then (return (i32.const 7))))
    (if (call $path_starts_with (i32.const 256) (i32.const 12))
      (then (return (i32.const 8))))
    (if (call $path_starts_with (i32.const 288) (i32.const 15))
      (then (return (i32.const 9))))
    (i32.const 0))

  ;; Traps when this is the callback in which this stream is to trap.
  (func $trap_when (param $context i32) (param $callback i32)
    (if (i32.eq (call $stage (local.get $context)) (local.get $callback))
      (then (unreachable))))

  ;; A root context comes here too, with `done`, `log` and `delete`: nothing is in its byte, since it has no
  ;; request.
  (func $on_request_headers (export "proxy_on_request_headers")
    (param $context i32) (param $count i32) (param $end_of_stream i32) (result i32)
    (i32.store8 (call $stage_address (local.get $context)) (call $stage_of_path))
    (call $trap_when (local.get $context) (i32.const 1))
    (i32.const 0))
  (func $on_request_body (export "proxy_on_request_body") (param $context i32) (param i32 i32) (result i32)
    (call $trap_when (local.get $context) (i32.const 2))
    (i32.const 0))
  (func $on_request_trailers (export "proxy_on_request_trailers")
    (param $context i32) (param i32) (result i32)
    (call $trap_when (local.get $context) (i32.const 3))
    (i32.const 0))
  (func $on_response_headers (export "proxy_on_response_headers")
    (param $context i32) (param i32 i32) (result i32)
    (call $trap_when (local.get $context) (i32.const 4))
    (i32.const 0))
  (func $on_response_body (export "proxy_on_response_body") (param $context i32) (param i32 i32) (result i32)
    (call $trap_when (local.get $context) (i32.const 5))
    (i32.const 0))
  (func $on_response_trailers (export "proxy_on_response_trailers")
    (param $context i32) (param i32) (result i32)
    (call $trap_when (local.get $context) (i32.const 6))
    (i32.const 0))
  (func $on_done (export "proxy_on_done") (param $context i32) (result i32)
    (call $trap_when (local.get $context) (i32.const 7))
    (i32.const 1))
  (func $on_log (export "proxy_on_log") (param $context i32)
    (call $trap_when (local.get $context) (i32.const 8)))
  (func $on_delete (export "proxy_on_delete") (param $context i32)
    (call $trap_when (local.get $context) (i32.const 9))))
