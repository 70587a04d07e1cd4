;; A module for Trivy that for each file grows its memory until that is refused, and then traps.
(module
  (memory (export "memory") 2)
  (data (i32.const 16) "hog")
  (data (i32.const 64) "[\22.\22]")
  (func (export "analyze") (param $path i32) (param $size i32) (result i64)
    (loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
    (unreachable))

  ;; What the host writes goes to one place, from 1024 on, and is never given back.
  (func (export "malloc") (param $size i32) (result i32) (i32.const 1024))
  (func (export "free") (param $pointer i32) (param $size i32))

  (func (export "name") (result i64) (i64.const 0x10_00000003))
  (func (export "version") (result i32) (i32.const 1))
  (func (export "api_version") (result i32) (i32.const 1))
  (func (export "is_analyzer") (result i64) (i64.const 1))
  (func (export "is_post_scanner") (result i64) (i64.const 0))
  (func (export "required") (result i64) (i64.const 0x40_00000005))
  (func (export "post_scan") (param i32 i32) (result i64) (i64.const 0)))
