;; A filter that does what its environment variable `SCRIPT` says, and writes each line of it that it has done into
;; its log, with what the host answered. So the answers to all that a filter may ask for, at any time, stand in
;; a text that can be compared.
;;
;;   on_request_headers: get_header_map_value 0 ":path" 0 4
;;   on_request_headers: return 1
;;
;; makes this line of the log, and pauses: `on_request_headers: get_header_map_value 0 ":path" 0 4 = 0`.
;;
;; Before the colon stands a callback without its `proxy_`, `_initialize`, or `allocator`, whose lines are done
;; whenever the host asks for memory. After it stand a host function without its `proxy_` and its arguments:
;;
;;   12, -1    numbers
;;   "text"    the address and the size of the text
;;   %         the address and the size of a serialized map with `:method`, `:path` and `:authority`
;;   $         the context of the stream that came last
;;
;; or one of these, of which the first is not logged:
;;
;;   return N      what the callback returns
;;   allocate N    the allocator gives N from now on; -1: memory, as it did before
;;   load N        the number at this address
;;   trap
(module
  (import "env" "proxy_log" (func $proxy_log (param i32 i32 i32) (result i32)))
  (import "env" "proxy_get_log_level" (func $proxy_get_log_level (param i32) (result i32)))
  (import "env" "proxy_get_current_time_nanoseconds" (func $proxy_get_current_time_nanoseconds (param i32) (result i32)))
  (import "env" "proxy_set_tick_period_milliseconds" (func $proxy_set_tick_period_milliseconds (param i32) (result i32)))
  (import "env" "proxy_get_buffer_bytes" (func $proxy_get_buffer_bytes (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_buffer_status" (func $proxy_get_buffer_status (param i32 i32 i32) (result i32)))
  (import "env" "proxy_set_buffer_bytes" (func $proxy_set_buffer_bytes (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_header_map_size" (func $proxy_get_header_map_size (param i32 i32) (result i32)))
  (import "env" "proxy_get_header_map_pairs" (func $proxy_get_header_map_pairs (param i32 i32 i32) (result i32)))
  (import "env" "proxy_set_header_map_pairs" (func $proxy_set_header_map_pairs (param i32 i32 i32) (result i32)))
  (import "env" "proxy_get_header_map_value" (func $proxy_get_header_map_value (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_add_header_map_value" (func $proxy_add_header_map_value (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_replace_header_map_value" (func $proxy_replace_header_map_value (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_remove_header_map_value" (func $proxy_remove_header_map_value (param i32 i32 i32) (result i32)))
  (import "env" "proxy_continue_stream" (func $proxy_continue_stream (param i32) (result i32)))
  (import "env" "proxy_close_stream" (func $proxy_close_stream (param i32) (result i32)))
  (import "env" "proxy_send_local_response" (func $proxy_send_local_response (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_http_call" (func $proxy_http_call (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_grpc_call" (func $proxy_grpc_call (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_grpc_stream" (func $proxy_grpc_stream (param i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_grpc_send" (func $proxy_grpc_send (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_grpc_cancel" (func $proxy_grpc_cancel (param i32) (result i32)))
  (import "env" "proxy_grpc_close" (func $proxy_grpc_close (param i32) (result i32)))
  (import "env" "proxy_get_status" (func $proxy_get_status (param i32 i32 i32) (result i32)))
  (import "env" "proxy_set_shared_data" (func $proxy_set_shared_data (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_shared_data" (func $proxy_get_shared_data (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_register_shared_queue" (func $proxy_register_shared_queue (param i32 i32 i32) (result i32)))
  (import "env" "proxy_resolve_shared_queue" (func $proxy_resolve_shared_queue (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_enqueue_shared_queue" (func $proxy_enqueue_shared_queue (param i32 i32 i32) (result i32)))
  (import "env" "proxy_dequeue_shared_queue" (func $proxy_dequeue_shared_queue (param i32 i32 i32) (result i32)))
  (import "env" "proxy_define_metric" (func $proxy_define_metric (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_record_metric" (func $proxy_record_metric (param i32 i64) (result i32)))
  (import "env" "proxy_increment_metric" (func $proxy_increment_metric (param i32 i64) (result i32)))
  (import "env" "proxy_get_metric" (func $proxy_get_metric (param i32 i32) (result i32)))
  (import "env" "proxy_get_property" (func $proxy_get_property (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_set_property" (func $proxy_set_property (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_call_foreign_function" (func $proxy_call_foreign_function (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_set_effective_context" (func $proxy_set_effective_context (param i32) (result i32)))
  (import "env" "proxy_done" (func $proxy_done (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $environ_get (param i32 i32) (result i32)))

  ;;     0  where host functions leave what they give        0x100  the arguments of a call, eight bytes each
  ;; 0x200  a map                                            0x300  the names of callbacks
  ;; 0x500  the names of functions, each with a NUL behind it
  ;; 0x1000 pointers to environment variables                0x2000 the environment: the script
  ;; 0x8000 a line for the log                               0xa000 the heap, to the end
  (memory (export "memory") 1)
  ;; The version of the ABI that this filter speaks. The host looks for the name; the function is not called.
  (func (export "proxy_abi_version_0_2_1"))

  ;; What to do: its result is what stands behind the `=` in the log.
  (type $step (func (result i32)))
  (data (i32.const 0x200)
    "\03\00\00\00\07\00\00\00\03\00\00\00\05\00\00\00\01\00\00\00\0a\00\00\00\07\00\00\00"
    ":method\00GET\00:path\00/\00:authority\00service\00")
  (data (i32.const 768) "on_context_create")
  (data (i32.const 792) "on_vm_start")
  (data (i32.const 808) "on_configure")
  (data (i32.const 824) "on_tick")
  (data (i32.const 832) "on_queue_ready")
  (data (i32.const 848) "on_request_headers")
  (data (i32.const 872) "on_request_body")
  (data (i32.const 888) "on_request_trailers")
  (data (i32.const 912) "on_response_headers")
  (data (i32.const 936) "on_response_body")
  (data (i32.const 952) "on_response_trailers")
  (data (i32.const 976) "on_http_call_response")
  (data (i32.const 1000) "on_done")
  (data (i32.const 1008) "on_log")
  (data (i32.const 1016) "on_delete")
  (data (i32.const 1032) "allocator")
  (data (i32.const 1048) "_initialize")
  (data (i32.const 0x500)
    "log\00get_log_level\00get_current_time_nanoseconds\00set_tick_period_milliseconds\00"
    "get_buffer_bytes\00get_buffer_status\00set_buffer_bytes\00get_header_map_size\00"
    "get_header_map_pairs\00set_header_map_pairs\00get_header_map_value\00add_header_map_value\00"
    "replace_header_map_value\00remove_header_map_value\00continue_stream\00close_stream\00"
    "send_local_response\00http_call\00grpc_call\00grpc_stream\00grpc_send\00grpc_cancel\00grpc_close\00"
    "get_status\00set_shared_data\00get_shared_data\00register_shared_queue\00resolve_shared_queue\00"
    "enqueue_shared_queue\00dequeue_shared_queue\00define_metric\00record_metric\00increment_metric\00"
    "get_metric\00get_property\00set_property\00call_foreign_function\00set_effective_context\00done\00"
    "return\00allocate\00load\00trap\00"
    "\00")
  (table funcref (elem
    $do_log $do_get_log_level $do_get_current_time_nanoseconds $do_set_tick_period_milliseconds
    $do_get_buffer_bytes $do_get_buffer_status $do_set_buffer_bytes $do_get_header_map_size
    $do_get_header_map_pairs $do_set_header_map_pairs $do_get_header_map_value $do_add_header_map_value
    $do_replace_header_map_value $do_remove_header_map_value $do_continue_stream $do_close_stream
    $do_send_local_response $do_http_call $do_grpc_call $do_grpc_stream $do_grpc_send $do_grpc_cancel
    $do_grpc_close $do_get_status $do_set_shared_data $do_get_shared_data $do_register_shared_queue
    $do_resolve_shared_queue $do_enqueue_shared_queue $do_dequeue_shared_queue $do_define_metric
    $do_record_metric $do_increment_metric $do_get_metric $do_get_property $do_set_property
    $do_call_foreign_function $do_set_effective_context $do_done $do_return $do_allocate $do_load
    $do_trap))

  ;; What the callback under way returns.
  (global $result (mut i32) (i32.const 0))
  (global $stream (mut i32) (i32.const 0))
  (global $heap (mut i32) (i32.const 0xa000))
  ;; What the allocator gives; -1 where it gives memory.
  (global $gives (mut i32) (i32.const -1))

  ;; The argument at this place of the call under way.
  (func $long (param $place i32) (result i64)
    (i64.load offset=0x100 (i32.shl (local.get $place) (i32.const 3))))
  (func $number (param $place i32) (result i32)
    (i32.wrap_i64 (call $long (local.get $place))))
  (func $put_argument (param $place i32) (param $value i64)
    (i64.store offset=0x100 (i32.shl (local.get $place) (i32.const 3)) (local.get $value)))

  (func $do_log (type $step) (call $proxy_log (call $number (i32.const 0)) (call $number (i32.const 1)) (call $number (i32.const 2))))
  (func $do_get_log_level (type $step) (call $proxy_get_log_level (call $number (i32.const 0))))
  (func $do_get_current_time_nanoseconds (type $step) (call $proxy_get_current_time_nanoseconds (call $number (i32.const 0))))
  (func $do_set_tick_period_milliseconds (type $step) (call $proxy_set_tick_period_milliseconds (call $number (i32.const 0))))
  (func $do_get_buffer_bytes (type $step) (call $proxy_get_buffer_bytes (call $number (i32.const 0)) (call $number (i32.const 1)) (call $number (i32.const 2)) (call $number (i32.const 3)) (call $number (i32.const 4))))
  (func $do_get_buffer_status (type $step) (call $proxy_get_buffer_status (call $number (i32.const 0)) (call $number (i32.const 1)) (call $number (i32.const 2))))
  (func $do_set_buffer_bytes (type $step) (call $proxy_set_buffer_bytes (call $number (i32.const 0)) (call $number (i32.const 1)) (call $number (i32.const 2)) (call $number (i32.const 3)) (call $number (i32.const 4))))
  (func $do_get_header_map_size (type $step) (call $proxy_get_header_map_size (call $number (i32.const 0)) (call $number (i32.const 1))))
  (func $do_get_header_map_pairs (type $step) (call $proxy_get_header_map_pairs (call $number (i32.const 0)) (call $number (i32.const 1)) (call $number (i32.const 2))))
  (func $do_set_header_map_pairs (type $step) (call $proxy_set_header_map_pairs (call $number (i32.const 0)) (call $number (i32.const 1)) (call $number (i32.const 2))))
  (func $do_get_header_map_value (type $step) (call $proxy_get_header_map_value (call $number (i32.const 0)) (call $number (i32.const 1)) (call $number (i32.const 2)) (call $number (i32.const 3)) (call $number (i32.const 4))))
  (func $do_add_header_map_value (type $step) (call $proxy_add_header_map_value (call $number (i32.const 0)) (call $number (i32.const 1)) (call $number (i32.const 2)) (call $number (i32.const 3)) (call $number (i32.const 4))))
  (func $do_replace_header_map_value (type $step) (call $proxy_replace_header_map_value (call $number (i32.const 0)) (call $number (i32.const 1)) (call $number (i32.const 2)) (call $number (i32.const 3)) (call $number (i32.const 4))))
  (func $do_remove_header_map_value (type $step) (call $proxy_remove_header_map_value (call $number (i32.const 0)) (call $number (i32.const 1)) (call $number (i32.const 2))))
  (func $do_continue_stream (type $step) (call $proxy_continue_stream (call $number (i32.const 0))))
  (func $do_close_stream (type $step) (call $proxy_close_stream (call $number (i32.const 0))))
  (func $do_send_local_response (type $step) (call $proxy_send_local_response (call $number (i32.const 0)) (call $number (i32.const 1)) (call $number (i32.const 2)) (call $number (i32.const 3)) (call $number (i32.const 4)) (call $number (i32.const 5)) (call $number (i32.const 6)) (call $number (i32.const 7))))
  (func $do_http_call (type $step) (call $proxy_http_call (call $number (i32.const 0)) (call $number (i32.const 1)) (call $number (i32.const 2)) (call $number (i32.const 3)) (call $number (i32.const 4)) (call $number (i32.const 5)) (call $number (i32.const 6)) (call $number (i32.const 7)) (call $number (i32.const 8)) (call $number (i32.const 9))))
  (func $do_grpc_call (type $step) (call $proxy_grpc_call (call $number (i32.const 0)) (call $number (i32.const 1)) (call $number (i32.const 2)) (call $number (i32.const 3)) (call $number (i32.const 4)) (call $number (i32.const 5)) (call $number (i32.const 6)) (call $number (i32.const 7)) (call $number (i32.const 8)) (call $number (i32.const 9)) (call $number (i32.const 10)) (call $number (i32.const 11))))
  (func $do_grpc_stream (type $step) (call $proxy_grpc_stream (call $number (i32.const 0)) (call $number (i32.const 1)) (call $number (i32.const 2)) (call $number (i32.const 3)) (call $number (i32.const 4)) (call $number (i32.const 5)) (call $number (i32.const 6)) (call $number (i32.const 7)) (call $number (i32.const 8))))
  (func $do_grpc_send (type $step) (call $proxy_grpc_send (call $number (i32.const 0)) (call $number (i32.const 1)) (call $number (i32.const 2)) (call $number (i32.const 3))))
  (func $do_grpc_cancel (type $step) (call $proxy_grpc_cancel (call $number (i32.const 0))))
  (func $do_grpc_close (type $step) (call $proxy_grpc_close (call $number (i32.const 0))))
  (func $do_get_status (type $step) (call $proxy_get_status (call $number (i32.const 0)) (call $number (i32.const 1)) (call $number (i32.const 2))))
  (func $do_set_shared_data (type $step) (call $proxy_set_shared_data (call $number (i32.const 0)) (call $number (i32.const 1)) (call $number (i32.const 2)) (call $number (i32.const 3)) (call $number (i32.const 4))))
  (func $do_get_shared_data (type $step) (call $proxy_get_shared_data (call $number (i32.const 0)) (call $number (i32.const 1)) (call $number (i32.const 2)) (call $number (i32.const 3)) (call $number (i32.const 4))))
  (func $do_register_shared_queue (type $step) (call $proxy_register_shared_queue (call $number (i32.const 0)) (call $number (i32.const 1)) (call $number (i32.const 2))))
  (func $do_resolve_shared_queue (type $step) (call $proxy_resolve_shared_queue (call $number (i32.const 0)) (call $number (i32.const 1)) (call $number (i32.const 2)) (call $number (i32.const 3)) (call $number (i32.const 4))))
  (func $do_enqueue_shared_queue (type $step) (call $proxy_enqueue_shared_queue (call $number (i32.const 0)) (call $number (i32.const 1)) (call $number (i32.const 2))))
  (func $do_dequeue_shared_queue (type $step) (call $proxy_dequeue_shared_queue (call $number (i32.const 0)) (call $number (i32.const 1)) (call $number (i32.const 2))))
  (func $do_define_metric (type $step) (call $proxy_define_metric (call $number (i32.const 0)) (call $number (i32.const 1)) (call $number (i32.const 2)) (call $number (i32.const 3))))
  (func $do_record_metric (type $step) (call $proxy_record_metric (call $number (i32.const 0)) (call $long (i32.const 1))))
  (func $do_increment_metric (type $step) (call $proxy_increment_metric (call $number (i32.const 0)) (call $long (i32.const 1))))
  (func $do_get_metric (type $step) (call $proxy_get_metric (call $number (i32.const 0)) (call $number (i32.const 1))))
  (func $do_get_property (type $step) (call $proxy_get_property (call $number (i32.const 0)) (call $number (i32.const 1)) (call $number (i32.const 2)) (call $number (i32.const 3))))
  (func $do_set_property (type $step) (call $proxy_set_property (call $number (i32.const 0)) (call $number (i32.const 1)) (call $number (i32.const 2)) (call $number (i32.const 3))))
  (func $do_call_foreign_function (type $step) (call $proxy_call_foreign_function (call $number (i32.const 0)) (call $number (i32.const 1)) (call $number (i32.const 2)) (call $number (i32.const 3)) (call $number (i32.const 4)) (call $number (i32.const 5))))
  (func $do_set_effective_context (type $step) (call $proxy_set_effective_context (call $number (i32.const 0))))
  (func $do_done (type $step) (call $proxy_done))
  (func $do_return (type $step)
    (global.set $result (call $number (i32.const 0)))
    (i32.const 0))
  (func $do_allocate (type $step)
    (global.set $gives (call $number (i32.const 0)))
    (i32.const 0))
  (func $do_load (type $step) (i32.load (call $number (i32.const 0))))
  (func $do_trap (type $step) (unreachable))

  ;; Whether the text at `at` begins with this name.
  (func $begins (param $at i32) (param $name i32) (param $size i32) (result i32)
    (block $differs
      (loop $next
        (if (i32.eqz (local.get $size)) (then (return (i32.const 1))))
        (br_if $differs (i32.ne (i32.load8_u (local.get $at)) (i32.load8_u (local.get $name))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (local.set $name (i32.add (local.get $name) (i32.const 1)))
        (local.set $size (i32.sub (local.get $size) (i32.const 1)))
        (br $next)))
    (i32.const 0))

  ;; The address of the next byte that is this one or ends the line.
  (func $find (param $at i32) (param $byte i32) (result i32)
    (local $here i32)
    (block $found
      (loop $next
        (local.set $here (i32.load8_u (local.get $at)))
        (br_if $found (i32.eq (local.get $here) (local.get $byte)))
        (br_if $found (i32.le_u (local.get $here) (i32.const 10))) ;; a line break, or the NUL behind the script
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (local.get $at))

  ;; The index of the function of this name. Traps where there is none: the script is wrong.
  (func $function (param $at i32) (param $size i32) (result i32)
    (local $name i32) (local $end i32) (local $index i32)
    (local.set $name (i32.const 0x500))
    (loop $next
      (if (i32.eqz (i32.load8_u (local.get $name))) (then (unreachable)))
      (local.set $end (call $find (local.get $name) (i32.const 0)))
      (if (i32.eq (i32.sub (local.get $end) (local.get $name)) (local.get $size))
        (then
          (if (call $begins (local.get $at) (local.get $name) (local.get $size))
            (then (return (local.get $index))))))
      (local.set $name (i32.add (local.get $end) (i32.const 1)))
      (local.set $index (i32.add (local.get $index) (i32.const 1)))
      (br $next))
    (unreachable))

  (func $parse_number (param $at i32) (param $end i32) (result i64)
    (local $value i64) (local $sign i64)
    (local.set $sign (i64.const 1))
    (if (i32.eq (i32.load8_u (local.get $at)) (i32.const 45)) ;; -
      (then
        (local.set $sign (i64.const -1))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))))
    (block $done
      (loop $next
        (br_if $done (i32.eq (local.get $at) (local.get $end)))
        (local.set $value
          (i64.add
            (i64.mul (local.get $value) (i64.const 10))
            (i64.sub (i64.load8_u (local.get $at)) (i64.const 48))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (i64.mul (local.get $value) (local.get $sign)))

  ;; Reads the arguments from here to the end of the line.
  (func $parse_arguments (param $at i32) (param $end i32)
    (local $place i32) (local $byte i32) (local $until i32)
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $byte (i32.load8_u (local.get $at)))
        (if (i32.eq (local.get $byte) (i32.const 32))
          (then
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br $next)))
        (if (i32.eq (local.get $byte) (i32.const 34)) ;; "
          (then
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (local.set $until (call $find (local.get $at) (i32.const 34)))
            (call $put_argument (local.get $place) (i64.extend_i32_u (local.get $at)))
            (local.set $place (i32.add (local.get $place) (i32.const 1)))
            (call $put_argument (local.get $place)
              (i64.extend_i32_u (i32.sub (local.get $until) (local.get $at))))
            (local.set $until (i32.add (local.get $until) (i32.const 1))))
          (else
            (local.set $until (call $find (local.get $at) (i32.const 32)))
            (if (i32.eq (local.get $byte) (i32.const 37)) ;; %
              (then
                (call $put_argument (local.get $place) (i64.const 0x200))
                (local.set $place (i32.add (local.get $place) (i32.const 1)))
                (call $put_argument (local.get $place) (i64.const 67)))
              (else
                (call $put_argument (local.get $place)
                  (if (result i64) (i32.eq (local.get $byte) (i32.const 36)) ;; $
                    (then (i64.extend_i32_u (global.get $stream)))
                    (else (call $parse_number (local.get $at) (local.get $until)))))))))
        (local.set $place (i32.add (local.get $place) (i32.const 1)))
        (local.set $at (local.get $until))
        (br $next))))

  ;; Writes a number's digits to `at`, and gives the address behind them.
  (func $digits (param $at i32) (param $number i32) (result i32)
    (if (i32.gt_u (local.get $number) (i32.const 9))
      (then
        (local.set $at
          (call $digits (local.get $at) (i32.div_u (local.get $number) (i32.const 10))))))
    (i32.store8 (local.get $at)
      (i32.add (i32.const 48) (i32.rem_u (local.get $number) (i32.const 10))))
    (i32.add (local.get $at) (i32.const 1)))

  ;; Logs a line of the script with what came of it.
  (func $log (param $at i32) (param $size i32) (param $answer i32)
    (local $end i32)
    (memory.copy (i32.const 0x8000) (local.get $at) (local.get $size))
    (local.set $end (i32.add (i32.const 0x8000) (local.get $size)))
    (i32.store offset=0 (local.get $end) (i32.const 0x203d20)) ;; " = "
    (local.set $end (call $digits (i32.add (local.get $end) (i32.const 3)) (local.get $answer)))
    (drop
      (call $proxy_log (i32.const 2) (i32.const 0x8000) (i32.sub (local.get $end) (i32.const 0x8000)))))

  ;; Does the lines of this name, and gives what the callback returns.
  (func $run (param $name i32) (param $size i32) (param $default i32) (result i32)
    (local $line i32) (local $end i32) (local $at i32) (local $behind i32) (local $function i32) (local $answer i32)
    (global.set $result (local.get $default))
    (local.set $line (i32.const 0x2007)) ;; behind `SCRIPT=`
    (block $done
      (loop $next
        (local.set $end (call $find (local.get $line) (i32.const 10)))
        (local.set $at (i32.add (local.get $line) (local.get $size)))
        (if (i32.and
              (call $begins (local.get $line) (local.get $name) (local.get $size))
              (i32.eq (i32.load8_u (local.get $at)) (i32.const 58))) ;; :
          (then
            (local.set $at (i32.add (local.get $at) (i32.const 2)))
            (local.set $behind (call $find (local.get $at) (i32.const 32)))
            (local.set $function
              (call $function (local.get $at) (i32.sub (local.get $behind) (local.get $at))))
            (call $parse_arguments (local.get $behind) (local.get $end))
            (local.set $answer (call_indirect (type $step) (local.get $function)))
            (if (i32.ne (local.get $function) (i32.const 39))
              (then
                (call $log
                  (local.get $line)
                  (i32.sub (local.get $end) (local.get $line))
                  (local.get $answer))))))
        (br_if $done (i32.eqz (i32.load8_u (local.get $end))))
        (local.set $line (i32.add (local.get $end) (i32.const 1)))
        (br $next)))
    (global.get $result))

  (func (export "_initialize")
    (drop (call $environ_get (i32.const 0x1000) (i32.const 0x2000)))
    (drop (call $run (i32.const 1048) (i32.const 11) (i32.const 0))))
  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
    (local $result i32) (local $at i32)
    (local.set $result (global.get $result))
    (drop (call $run (i32.const 1032) (i32.const 9) (i32.const 0)))
    (global.set $result (local.get $result))
    (if (i32.ne (global.get $gives) (i32.const -1)) (then (return (global.get $gives))))
    ;; Nothing is kept: the heap starts over where it ends.
    (if (i32.gt_u (i32.add (global.get $heap) (local.get $size)) (i32.const 0x10000))
      (then (global.set $heap (i32.const 0xa000))))
    (local.set $at (global.get $heap))
    (global.set $heap (i32.add (local.get $at) (local.get $size)))
    (local.get $at))

  (func (export "proxy_on_context_create") (param $context i32) (param $parent i32)
    (if (local.get $parent) (then (global.set $stream (local.get $context))))
    (drop (call $run (i32.const 768) (i32.const 17) (i32.const 0))))
  (func (export "proxy_on_vm_start") (param $context i32) (param i32) (result i32)
    (call $run (i32.const 792) (i32.const 11) (i32.const 1)))
  (func (export "proxy_on_configure") (param $context i32) (param i32) (result i32)
    (call $run (i32.const 808) (i32.const 12) (i32.const 1)))
  (func (export "proxy_on_tick") (param $context i32)
    (drop (call $run (i32.const 824) (i32.const 7) (i32.const 0))))
  (func (export "proxy_on_queue_ready") (param $context i32) (param i32)
    (drop (call $run (i32.const 832) (i32.const 14) (i32.const 0))))
  (func (export "proxy_on_request_headers") (param $context i32) (param i32 i32) (result i32)
    (call $run (i32.const 848) (i32.const 18) (i32.const 0)))
  (func (export "proxy_on_request_body") (param $context i32) (param i32 i32) (result i32)
    (call $run (i32.const 872) (i32.const 15) (i32.const 0)))
  (func (export "proxy_on_request_trailers") (param $context i32) (param i32) (result i32)
    (call $run (i32.const 888) (i32.const 19) (i32.const 0)))
  (func (export "proxy_on_response_headers") (param $context i32) (param i32 i32) (result i32)
    (call $run (i32.const 912) (i32.const 19) (i32.const 0)))
  (func (export "proxy_on_response_body") (param $context i32) (param i32 i32) (result i32)
    (call $run (i32.const 936) (i32.const 16) (i32.const 0)))
  (func (export "proxy_on_response_trailers") (param $context i32) (param i32) (result i32)
    (call $run (i32.const 952) (i32.const 20) (i32.const 0)))
  (func (export "proxy_on_http_call_response") (param $context i32) (param i32 i32 i32 i32)
    (drop (call $run (i32.const 976) (i32.const 21) (i32.const 0))))
  (func (export "proxy_on_done") (param $context i32) (result i32)
    (call $run (i32.const 1000) (i32.const 7) (i32.const 1)))
  (func (export "proxy_on_log") (param $context i32)
    (drop (call $run (i32.const 1008) (i32.const 6) (i32.const 0))))
  (func (export "proxy_on_delete") (param $context i32)
    (drop (call $run (i32.const 1016) (i32.const 9) (i32.const 0)))))
