// The host's side of proxy-wasm ABI 0.2.1, as far as my-filter.c needs it. There is more to declare:
// https://github.com/proxy-wasm/spec/tree/main/abi-versions/v0.2.1
#ifndef PROXY_WASM_H
#define PROXY_WASM_H

#include <stddef.h>
#include <stdint.h>

// A function that the host calls, and one that it gives.
#define EXPORT(name) __attribute__((export_name(#name))) name
#define HOST(name) __attribute__((import_module("env"), import_name(#name))) name

typedef uint32_t context_id;

enum status { STATUS_OK = 0, STATUS_NOT_FOUND = 1, STATUS_BAD_ARGUMENT = 2 };
enum action { ACTION_CONTINUE = 0, ACTION_PAUSE = 1 };
enum log_level { LOG_TRACE, LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_CRITICAL };
enum header_map { MAP_REQUEST_HEADERS = 0, MAP_RESPONSE_HEADERS = 2 };
enum buffer { BUFFER_PLUGIN_CONFIGURATION = 7 };
enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

// What the host gives by a `char **` lies in memory from proxy_on_memory_allocate, and is the filter's to free. Nothing is
// NULL and size 0.
enum status HOST(proxy_log)(enum log_level level, const char *text, size_t size);
enum status HOST(proxy_get_buffer_bytes)(enum buffer buffer, size_t start, size_t max_size, char **bytes, size_t *size);
enum status HOST(proxy_get_header_map_value)(enum header_map map, const char *name, size_t name_size, char **value,
                                             size_t *value_size);
enum status HOST(proxy_add_header_map_value)(enum header_map map, const char *name, size_t name_size,
                                             const char *value, size_t value_size);
enum status HOST(proxy_remove_header_map_value)(enum header_map map, const char *name, size_t name_size);
enum status HOST(proxy_define_metric)(enum metric_kind kind, const char *name, size_t name_size, uint32_t *metric);
enum status HOST(proxy_increment_metric)(uint32_t metric, int64_t offset);
// `headers` is a header map as the ABI serializes it; `grpc_status` is -1 for none.
enum status HOST(proxy_send_local_response)(uint32_t status, const char *details, size_t details_size,
                                            const char *body, size_t body_size, const char *headers,
                                            size_t headers_size, int32_t grpc_status);

#endif
