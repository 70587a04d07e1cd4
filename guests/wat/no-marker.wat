;; Looks like a filter, but does not say which version of the ABI it speaks: there is no
;; `proxy_abi_version_…`.
(module
  (memory (export "memory") 1)
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

  (func $on_request_headers (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (i32.const 0)))
