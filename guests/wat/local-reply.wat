;; A filter that answers by itself: 418, the body `short and stout` and a newline, and a header
;; `x-local-reply` that names the callback which answered. The path says which that is; it need only begin
;; so:
;;
;;   /body                 on_request_body
;;   /response-body-held   on_response_body, with the response headers paused until then, which needs a host
;;                         that delivers the bodies of paused headers
;;   /response-body        on_response_body
;;   /response             on_response_headers
;;   anything else         on_request_headers
(module
  ;; (status code, details and size, body and size, headers and size, gRPC status or -1) → status
  (import "env" "proxy_send_local_response"
    (func $proxy_send_local_response (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
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

  (data (i32.const 32) "/response-body-held")
  (data (i32.const 64) "/body")
  (data (i32.const 80) "teapot")
  (data (i32.const 96) "short and stout\n")
  ;; Serialized headers: how many, then for each the sizes of name and value, then the names and values
  ;; themselves, each with a NUL behind it.
  (data (i32.const 128) "\01\00\00\00\0d\00\00\00\0f\00\00\00x-local-reply\00request-headers\00")
  (data (i32.const 192) "\01\00\00\00\0d\00\00\00\0c\00\00\00x-local-reply\00request-body\00")
  (data (i32.const 256) "\01\00\00\00\0d\00\00\00\10\00\00\00x-local-reply\00response-headers\00")
  (data (i32.const 320) "\01\00\00\00\0d\00\00\00\0d\00\00\00x-local-reply\00response-body\00")

  ;; Stages: 1 to 4 answer in the request's headers, its body, the response's headers, its body; 5 is 4 with the
  ;; response's headers held.
  (func $stage_of_path (result i32)
    (if (call $path_starts_with (i32.const 64) (i32.const 5)) ;; /body
      (then (return (i32.const 2))))
    (if (call $path_starts_with (i32.const 32) (i32.const 19)) ;; /response-body-held
      (then (return (i32.const 5))))
    (if (call $path_starts_with (i32.const 32) (i32.const 14)) ;; /response-body
      (then (return (i32.const 4))))
    (if (call $path_starts_with (i32.const 32) (i32.const 9)) ;; /response
      (then (return (i32.const 3))))
    (i32.const 1))

  ;; Answers once: the answer may pass this filter's own response callbacks.
  (func $reply (param $context i32) (param $headers i32) (param $size i32) (result i32)
    (i32.store8 (call $stage_address (local.get $context)) (i32.const 0))
    (drop
      (call $proxy_send_local_response
        (i32.const 418)
        (i32.const 80) (i32.const 6)
        (i32.const 96) (i32.const 16)
        (local.get $headers) (local.get $size)
        (i32.const -1)))
    (i32.const 1)) ;; pause: this stream is answered

  (func $on_request_headers (export "proxy_on_request_headers")
    (param $context i32) (param $count i32) (param $end_of_stream i32) (result i32)
    (i32.store8 (call $stage_address (local.get $context)) (call $stage_of_path))
    (if (i32.eq (call $stage (local.get $context)) (i32.const 1))
      (then (return (call $reply (local.get $context) (i32.const 128) (i32.const 42)))))
    (i32.const 0))
  (func $on_request_body (export "proxy_on_request_body") (param $context i32) (param i32 i32) (result i32)
    (if (i32.eq (call $stage (local.get $context)) (i32.const 2))
      (then (return (call $reply (local.get $context) (i32.const 192) (i32.const 39)))))
    (i32.const 0))
  (func $on_response_headers (export "proxy_on_response_headers")
    (param $context i32) (param $count i32) (param $end_of_stream i32) (result i32)
    (if (i32.eq (call $stage (local.get $context)) (i32.const 3))
      (then (return (call $reply (local.get $context) (i32.const 256) (i32.const 43)))))
    ;; Pauses at stage 5, where there is a body to wait for.
    (i32.and
      (i32.eq (call $stage (local.get $context)) (i32.const 5))
      (i32.eqz (local.get $end_of_stream))))
  (func $on_response_body (export "proxy_on_response_body") (param $context i32) (param i32 i32) (result i32)
    (if (i32.ge_u (call $stage (local.get $context)) (i32.const 4))
      (then (return (call $reply (local.get $context) (i32.const 320) (i32.const 40)))))
    (i32.const 0)))
