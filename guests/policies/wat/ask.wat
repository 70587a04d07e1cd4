;; A policy that makes one host call in each review and tells what came of it. Its settings describe the call: `ask` is the
;; operation, such as `kubernetes/get_resource`, and `payload` the text that goes with it, in which each `'` stands for a
;; `"`. It rejects with the host's answer as the message and code 200, or with the host's error and code 400. With
;; `show: size` the message is the size of the answer.
(module
  ;; (answer, its size)
  (import "wapc" "__guest_response" (func $response (param i32 i32)))
  ;; (where to put the operation's name, where to put the payload)
  (import "wapc" "__guest_request" (func $request (param i32 i32)))
  ;; (binding, its size, namespace, its size, operation, its size, payload, its size) → 1 for success
  (import "wapc" "__host_call" (func $host_call (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wapc" "__host_response_len" (func $host_response_len (result i32)))
  (import "wapc" "__host_response" (func $host_response (param i32)))
  (import "wapc" "__host_error_len" (func $host_error_len (result i32)))
  (import "wapc" "__host_error" (func $host_error (param i32)))

  ;; 65536: the review and the settings; 0x200000: the payload of the host call; 0x300000: what came of it, and behind that
  ;; the verdict.
  (memory (export "memory") 64)

  (data (i32.const 16) "{\"valid\":true}")
  ;; All settings are good: 17 is the size of `validate_settings`, as 8 is that of `validate`.
  (func $are_settings (param $operation i32) (result i32)
    (if (i32.ne (local.get $operation) (i32.const 17)) (then (return (i32.const 0))))
    (call $response (i32.const 16) (i32.const 14))
    (i32.const 1))

  (data (i32.const 64) "kubewarden")
  (data (i32.const 96) "\"ask\":\"")
  (data (i32.const 112) "\"payload\":\"")
  (data (i32.const 128) "\"show\":\"size\"")
  (data (i32.const 160) "{\"accepted\":false,\"code\":200,\"message\":\"")
  (data (i32.const 224) "{\"accepted\":false,\"code\":400,\"message\":\"")

  ;; What stands behind the last place where the payload, which is at 65536, has this text; 0 where it has it nowhere. The
  ;; settings are the last that is in it.
  (func $behind_last (param $payload i32) (param $text i32) (param $size i32) (result i32)
    (local $start i32) (local $index i32)
    (local.set $start (i32.sub (local.get $payload) (local.get $size)))
    (loop $next_start
      (if (i32.lt_s (local.get $start) (i32.const 0)) (then (return (i32.const 0))))
      (local.set $index (i32.const 0))
      (block $differs
        (loop $next
          (if (i32.eq (local.get $index) (local.get $size))
            (then (return (i32.add (i32.const 65536) (i32.add (local.get $start) (local.get $size))))))
          (br_if $differs
            (i32.ne
              (i32.load8_u offset=65536 (i32.add (local.get $start) (local.get $index)))
              (i32.load8_u (i32.add (local.get $text) (local.get $index)))))
          (local.set $index (i32.add (local.get $index) (i32.const 1)))
          (br $next)))
      (local.set $start (i32.sub (local.get $start) (i32.const 1)))
      (br $next_start))
    (unreachable))

  ;; Copies the text of a JSON string up to its closing quote, with `"` for each `'`, and gives its size.
  (func $unquote (param $from i32) (param $to i32) (result i32)
    (local $start i32) (local $character i32)
    (local.set $start (local.get $to))
    (loop $next
      (local.set $character (i32.load8_u (local.get $from)))
      (if (i32.eq (local.get $character) (i32.const 34))
        (then (return (i32.sub (local.get $to) (local.get $start)))))
      (if (i32.eq (local.get $character) (i32.const 92))
        (then
          (local.set $from (i32.add (local.get $from) (i32.const 1)))
          (local.set $character (i32.load8_u (local.get $from)))))
      (if (i32.eq (local.get $character) (i32.const 39)) (then (local.set $character (i32.const 34))))
      (i32.store8 (local.get $to) (local.get $character))
      (local.set $from (i32.add (local.get $from) (i32.const 1)))
      (local.set $to (i32.add (local.get $to) (i32.const 1)))
      (br $next))
    (unreachable))

  ;; Copies text into a JSON string, and gives where it ends.
  (func $quote (param $from i32) (param $size i32) (param $to i32) (result i32)
    (local $end i32) (local $character i32)
    (local.set $end (i32.add (local.get $from) (local.get $size)))
    (loop $next
      (if (i32.eq (local.get $from) (local.get $end)) (then (return (local.get $to))))
      (local.set $character (i32.load8_u (local.get $from)))
      (if (i32.or
            (i32.eq (local.get $character) (i32.const 34))
            (i32.eq (local.get $character) (i32.const 92)))
        (then
          (i32.store8 (local.get $to) (i32.const 92))
          (local.set $to (i32.add (local.get $to) (i32.const 1)))))
      ;; What has no place in a string becomes a space.
      (if (i32.lt_u (local.get $character) (i32.const 32)) (then (local.set $character (i32.const 32))))
      (i32.store8 (local.get $to) (local.get $character))
      (local.set $from (i32.add (local.get $from) (i32.const 1)))
      (local.set $to (i32.add (local.get $to) (i32.const 1)))
      (br $next))
    (unreachable))

  ;; Writes a number, and gives where it ends.
  (func $number (param $number i32) (param $to i32) (result i32)
    (if (i32.ge_u (local.get $number) (i32.const 10))
      (then (local.set $to (call $number (i32.div_u (local.get $number) (i32.const 10)) (local.get $to)))))
    (i32.store8 (local.get $to) (i32.add (i32.const 48) (i32.rem_u (local.get $number) (i32.const 10))))
    (i32.add (local.get $to) (i32.const 1)))

  ;; Where the namespace of the operation at 2048 ends: at the first `/`, or at its end.
  (func $namespace_end (param $size i32) (result i32)
    (local $index i32)
    (loop $next
      (if (i32.eq (local.get $index) (local.get $size)) (then (return (local.get $index))))
      (if (i32.eq (i32.load8_u offset=2048 (local.get $index)) (i32.const 47))
        (then (return (local.get $index))))
      (local.set $index (i32.add (local.get $index) (i32.const 1)))
      (br $next))
    (unreachable))

  ;; Makes room for what came and a verdict that has it with all its characters escaped.
  (func $make_room (param $size i32)
    (local $pages i32)
    (local.set $pages
      (i32.div_u (i32.add (i32.const 0x310000) (i32.mul (local.get $size) (i32.const 3))) (i32.const 65536)))
    (if (i32.gt_u (local.get $pages) (memory.size))
      (then
        (if (i32.eq (memory.grow (i32.sub (local.get $pages) (memory.size))) (i32.const -1))
          (then (unreachable))))))

  ;; (size of the operation's name, size of the payload) → 1 for success
  (func (export "__guest_call") (param $operation i32) (param $payload i32) (result i32)
    (local $name i32) (local $namespace i32) (local $asked i32) (local $good i32) (local $came i32)
    (local $verdict i32) (local $end i32)
    (if (call $are_settings (local.get $operation)) (then (return (i32.const 1))))
    (call $request (i32.const 1024) (i32.const 65536))
    (local.set $name
      (call $unquote (call $behind_last (local.get $payload) (i32.const 96) (i32.const 7)) (i32.const 2048)))
    (local.set $namespace (call $namespace_end (local.get $name)))
    (local.set $asked
      (call $unquote
        (call $behind_last (local.get $payload) (i32.const 112) (i32.const 11)) (i32.const 0x200000)))
    (local.set $good
      (call $host_call
        (i32.const 64) (i32.const 10)
        (i32.const 2048) (local.get $namespace)
        (i32.add (i32.const 2049) (local.get $namespace))
        (select
          (i32.sub (i32.sub (local.get $name) (local.get $namespace)) (i32.const 1))
          (i32.const 0)
          (i32.gt_u (local.get $name) (local.get $namespace)))
        (i32.const 0x200000) (local.get $asked)))
    (if (local.get $good)
      (then
        (local.set $came (call $host_response_len))
        (call $make_room (local.get $came))
        (call $host_response (i32.const 0x300000)))
      (else
        (local.set $came (call $host_error_len))
        (call $make_room (local.get $came))
        (call $host_error (i32.const 0x300000))))
    (local.set $verdict (i32.add (i32.const 0x300000) (local.get $came)))
    (memory.copy
      (local.get $verdict)
      (select (i32.const 160) (i32.const 224) (local.get $good))
      (i32.const 40))
    (local.set $end (i32.add (local.get $verdict) (i32.const 40)))
    (local.set $end
      (if (result i32) (call $behind_last (local.get $payload) (i32.const 128) (i32.const 13))
        (then (call $number (local.get $came) (local.get $end)))
        (else (call $quote (i32.const 0x300000) (local.get $came) (local.get $end)))))
    (i32.store16 (local.get $end) (i32.const 0x7d22)) ;; "}
    (call $response (local.get $verdict) (i32.sub (i32.add (local.get $end) (i32.const 2)) (local.get $verdict)))
    (i32.const 1))

  (@custom "io.kubewarden.metadata"
    "{\"protocolVersion\":\"v1\",\"rules\":[],\"mutating\":false,\"executionMode\":\"kubewarden-wapc\"}"))
