;; A policy whose answer to a review is none. Which, its setting `answer` says: `cut`, `text`, `empty`, `nobody`,
;; `word`, `bytes` (no UTF-8), `deep`, `twice`, or `object`, which makes a number of the object under review.
(module
  ;; (answer, its size)
  (import "wapc" "__guest_response" (func $response (param i32 i32)))
  ;; (where to put the operation's name, where to put the payload)
  (import "wapc" "__guest_request" (func $request (param i32 i32)))

  (memory (export "memory") 32)

  (data (i32.const 16) "{\"valid\":true}")
  ;; All settings are good: 17 is the size of `validate_settings`, as 8 is that of `validate`.
  (func $are_settings (param $operation i32) (result i32)
    (if (i32.ne (local.get $operation) (i32.const 17)) (then (return (i32.const 0))))
    (call $response (i32.const 16) (i32.const 14))
    (i32.const 1))

  ;; Each name of an answer, and the answer.
  (data (i32.const 1024) "\"answer\":\"cut\"") (data (i32.const 1056) "{\"accepted\":")
  (data (i32.const 1120) "\"answer\":\"text\"") (data (i32.const 1152) "\"yes\"")
  (data (i32.const 1216) "\"answer\":\"empty\"") (data (i32.const 1248) "")
  (data (i32.const 1280) "\"answer\":\"nobody\"") (data (i32.const 1312) "{}")
  (data (i32.const 1376) "\"answer\":\"word\"") (data (i32.const 1408) "{\"accepted\":\"yes\"}")
  (data (i32.const 1472) "\"answer\":\"bytes\"") (data (i32.const 1504) "\ff\fe{}")
  (data (i32.const 1568) "\"answer\":\"deep\"") (data (i32.const 4096) "{\"accepted\":true,\"mutated_object\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}")
  (data (i32.const 2240) "\"answer\":\"twice\"") (data (i32.const 2272) "{\"accepted\":true}{\"accepted\":false}")
  (data (i32.const 2368) "\"answer\":\"object\"") (data (i32.const 2400) "{\"accepted\":true,\"mutated_object\":17}")

  ;; Whether the payload, which is at 65536, has this text in it.
  (func $payload_has (param $payload i32) (param $text i32) (param $size i32) (result i32)
    (local $start i32) (local $index i32)
    (loop $next_start
      (if (i32.gt_u (i32.add (local.get $start) (local.get $size)) (local.get $payload))
        (then (return (i32.const 0))))
      (local.set $index (i32.const 0))
      (block $differs
        (loop $next
          (if (i32.eq (local.get $index) (local.get $size)) (then (return (i32.const 1))))
          (br_if $differs
            (i32.ne
              (i32.load8_u offset=65536 (i32.add (local.get $start) (local.get $index)))
              (i32.load8_u (i32.add (local.get $text) (local.get $index)))))
          (local.set $index (i32.add (local.get $index) (i32.const 1)))
          (br $next)))
      (local.set $start (i32.add (local.get $start) (i32.const 1)))
      (br $next_start))
    (unreachable))

  ;; (size of the operation's name, size of the payload) → 1 for success
  (func (export "__guest_call") (param $operation i32) (param $payload i32) (result i32)
    (if (call $are_settings (local.get $operation)) (then (return (i32.const 1))))
    (call $request (i32.const 256) (i32.const 65536))
    (if (call $payload_has (local.get $payload) (i32.const 1024) (i32.const 14))
      (then (call $response (i32.const 1056) (i32.const 12))))
    (if (call $payload_has (local.get $payload) (i32.const 1120) (i32.const 15))
      (then (call $response (i32.const 1152) (i32.const 5))))
    (if (call $payload_has (local.get $payload) (i32.const 1216) (i32.const 16))
      (then (call $response (i32.const 1248) (i32.const 0))))
    (if (call $payload_has (local.get $payload) (i32.const 1280) (i32.const 17))
      (then (call $response (i32.const 1312) (i32.const 2))))
    (if (call $payload_has (local.get $payload) (i32.const 1376) (i32.const 15))
      (then (call $response (i32.const 1408) (i32.const 18))))
    (if (call $payload_has (local.get $payload) (i32.const 1472) (i32.const 16))
      (then (call $response (i32.const 1504) (i32.const 4))))
    (if (call $payload_has (local.get $payload) (i32.const 1568) (i32.const 15))
      (then (call $response (i32.const 4096) (i32.const 635))))
    (if (call $payload_has (local.get $payload) (i32.const 2240) (i32.const 16))
      (then (call $response (i32.const 2272) (i32.const 35))))
    (if (call $payload_has (local.get $payload) (i32.const 2368) (i32.const 17))
      (then (call $response (i32.const 2400) (i32.const 37))))
    (i32.const 1))

  (@custom "io.kubewarden.metadata"
    "{\"protocolVersion\":\"v1\",\"rules\":[],\"mutating\":true,\"executionMode\":\"kubewarden-wapc\"}"))
