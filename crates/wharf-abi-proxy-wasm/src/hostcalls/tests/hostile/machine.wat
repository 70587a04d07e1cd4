;; What the hostile guest is made of beside its imports, forwarders and callbacks.
;;
;;   0x0     nothing, for pointers that are 0      0x1000  for each callback: u32 steps, u32 count, u32 result, u32 whether
;;   0x2000  good arguments of each function               the result counts
;;   0x8000  steps: u32 function, u32 whether it has been done, u32 its answer, u32 nothing, 12 × u64 argument
;;   0x10000 what the allocator gives              0x20000 good inputs
;;   0x28000 question marks                        0x30000 the end
(memory (export "memory") 3)
(global $arguments (mut i32) (i32.const 0))
(global $heap (mut i32) (i32.const 0x10000))
(global $mode (mut i32) (i32.const 0))
(global $address (mut i32) (i32.const 0))
(global $allocations (mut i32) (i32.const 0))

(func (export "test_allocator") (param i32 i32)
  (global.set $mode (local.get 0))
  (global.set $address (local.get 1))
  (global.set $heap (i32.const 0x10000))
  (global.set $allocations (i32.const 0)))
(func (export "test_allocations") (result i32) (global.get $allocations))

(func $allocate (export "proxy_on_memory_allocate") (param $size i32) (result i32)
  (local $at i32)
  (global.set $allocations (i32.add (global.get $allocations) (i32.const 1)))
  (if (i32.eq (global.get $mode) (i32.const 1)) (then (return (global.get $address))))
  (if (i32.eq (global.get $mode) (i32.const 2)) (then (unreachable)))
  (if (i32.eq (global.get $mode) (i32.const 3)) (then (loop $for_ever (br $for_ever))))
  (if (i32.eq (global.get $mode) (i32.const 4)) (then (return (call $allocate (local.get $size)))))
  (if (i32.eq (global.get $mode) (i32.const 5))
    (then (return (i32.shl (memory.grow (i32.const 1)) (i32.const 16)))))
  (if (i32.eq (global.get $mode) (i32.const 6))
    (then
      (loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
      (unreachable)))
  ;; The first entry of the table is the allocator's.
  (drop (call $run (i32.const 0) (i32.const 0)))
  (if (i32.gt_u (local.get $size) (i32.const 0x8000))
    (then (return (i32.shl
      (memory.grow (i32.add (i32.shr_u (local.get $size) (i32.const 16)) (i32.const 1)))
      (i32.const 16)))))
  (if (i32.gt_u (i32.add (global.get $heap) (local.get $size)) (i32.const 0x20000))
    (then (global.set $heap (i32.const 0x10000))))
  (local.set $at (global.get $heap))
  (global.set $heap (i32.add (local.get $at) (local.get $size)))
  (local.get $at))

(func $run (param $callback i32) (param $default i32) (result i32)
  (local $entry i32) (local $step i32) (local $count i32)
  (local.set $entry (i32.add (i32.const 0x1000) (i32.shl (local.get $callback) (i32.const 4))))
  (local.set $step (i32.load (local.get $entry)))
  (local.set $count (i32.load offset=4 (local.get $entry)))
  (block $done
    (loop $next
      (br_if $done (i32.eqz (local.get $count)))
      (global.set $arguments (i32.add (local.get $step) (i32.const 16)))
      (i32.store offset=8 (local.get $step)
        (call_indirect (type $forward) (i32.load (local.get $step))))
      (i32.store offset=4 (local.get $step) (i32.const 1))
      (local.set $step (i32.add (local.get $step) (i32.const 112)))
      (local.set $count (i32.sub (local.get $count) (i32.const 1)))
      (br $next)))
  (select
    (i32.load offset=8 (local.get $entry))
    (local.get $default)
    (i32.load offset=12 (local.get $entry))))

;; Calls the function whose index stands in the environment, with good arguments, and leaves its answer at 0x1f00.
(func $start
  (drop (call $wasi_snapshot_preview1.environ_get (i32.const 0x100) (i32.const 0x200)))
  (global.set $arguments
    (i32.add (i32.const 0x2000) (i32.mul (call $index) (i32.const 96))))
  (i32.store (i32.const 0x1f00) (call_indirect (type $forward) (call $index)))
  (i32.store (i32.const 0x1f04) (i32.const 1)))
(func $index (result i32)
  (i32.add
    (i32.mul (call $digit (i32.const 0)) (i32.const 1000))
    (i32.add
      (i32.mul (call $digit (i32.const 1)) (i32.const 100))
      (i32.add (i32.mul (call $digit (i32.const 2)) (i32.const 10)) (call $digit (i32.const 3))))))
(func $digit (param $place i32) (result i32)
  (i32.sub (i32.load8_u offset=0x205 (local.get $place)) (i32.const 48)))
