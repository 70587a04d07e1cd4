;; A filter that says no to every configuration, and why: two lines of log, at the levels info and error.
(module
  ;; (level, text, text's size) → status
  (import "env" "proxy_log" (func $proxy_log (param i32 i32 i32) (result i32)))

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

  (data (i32.const 16) "configure-no: reading the configuration")
  (data (i32.const 64) "configure-no: this filter accepts no configuration")
  ;; (root context, size of the configuration) → whether it is accepted
  (func $on_configure (export "proxy_on_configure") (param i32 i32) (result i32)
    (drop (call $proxy_log (i32.const 2) (i32.const 16) (i32.const 39)))
    (drop (call $proxy_log (i32.const 4) (i32.const 64) (i32.const 50)))
    (i32.const 0)))
