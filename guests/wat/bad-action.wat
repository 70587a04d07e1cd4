;; A filter with an action that nobody knows: for a path that begins with `/bad-action`, `on_request_headers` gives
;; 99. The host takes it for a pause, which nothing ever ends. All other requests pass.
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

  (data (i32.const 32) "/bad-action")
  ;; (context, number of headers, end of stream) → action, 0 to continue
  (func $on_request_headers (export "proxy_on_request_headers")
    (param $context i32) (param $count i32) (param $end_of_stream i32) (result i32)
    (if (call $path_starts_with (i32.const 32) (i32.const 11))
      (then (return (i32.const 99))))
    (i32.const 0)))
