;; A module for Trivy that gives results outside of its memory. The last letter of the path says which: `a` a pointer behind
;; it, `b` a size beyond it, `c` both at their most; `e` logs from outside.
(module
  (import "env" "warn" (func $warn (param i32 i32)))
  (memory (export "memory") 2)
  (data (i32.const 16) "wild")
  (data (i32.const 64) "[\22.\22]")
  (func (export "analyze") (param $path i32) (param $size i32) (result i64)
    (local $letter i32)
    (local.set $letter
      (i32.load8_u (i32.sub (i32.add (local.get $path) (local.get $size)) (i32.const 1))))
    (if (i32.eq (local.get $letter) (i32.const 97)) (then (return (i64.const 0x7fff_0000_0000_0010))))
    (if (i32.eq (local.get $letter) (i32.const 98)) (then (return (i64.const 0x0000_0010_0200_0000))))
    (if (i32.eq (local.get $letter) (i32.const 99)) (then (return (i64.const -1))))
    (if (i32.eq (local.get $letter) (i32.const 101)) (then (call $warn (i32.const -16) (i32.const 32))))
    (i64.const 0))

  ;; What the host writes goes to one place, from 1024 on, and is never given back.
  (func (export "malloc") (param $size i32) (result i32) (i32.const 1024))
  (func (export "free") (param $pointer i32) (param $size i32))

  (func (export "name") (result i64) (i64.const 0x10_00000004))
  (func (export "version") (result i32) (i32.const 1))
  (func (export "api_version") (result i32) (i32.const 1))
  (func (export "is_analyzer") (result i64) (i64.const 1))
  (func (export "is_post_scanner") (result i64) (i64.const 0))
  (func (export "required") (result i64) (i64.const 0x40_00000005))
  (func (export "post_scan") (param i32 i32) (result i64) (i64.const 0)))
