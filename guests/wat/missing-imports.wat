;; A filter that imports three functions that no host gives, beside one that all do.
(module
  (import "env" "proxy_log" (func $proxy_log (param i32 i32 i32) (result i32)))
  (import "env" "proxy_teleport" (func $proxy_teleport (param i32 i32) (result i32)))
  (import "env" "proxy_brew_coffee" (func $proxy_brew_coffee))
  (import "another_world" "beam_up" (func $beam_up (param i64) (result i64)))

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

  (func $on_request_headers (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (call $proxy_brew_coffee)
    (drop (call $beam_up (i64.const 1)))
    (drop (call $proxy_log (i32.const 2) (i32.const 0) (i32.const 0)))
    (call $proxy_teleport (i32.const 0) (i32.const 0))))
