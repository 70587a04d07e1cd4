// The proxy-wasm ABI as a C filter sees it: the host functions that the C guests here use, with their constants.
// It is the raw ABI. A pointer that the host gives out belongs to the filter, which frees it.
#ifndef PROXY_WASM_H
#define PROXY_WASM_H

#include <stddef.h>
#include <stdint.h>

#define EXPORT(name) __attribute__((export_name(#name))) name
#define HOST(name) __attribute__((import_module("env"), import_name(#name))) name

typedef uint32_t context_id;

enum status { STATUS_OK = 0, STATUS_NOT_FOUND = 1, STATUS_BAD_ARGUMENT = 2 };
enum action { ACTION_CONTINUE = 0, ACTION_PAUSE = 1 };
enum log_level { LOG_TRACE, LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_CRITICAL };
enum header_map { MAP_REQUEST_HEADERS = 0, MAP_RESPONSE_HEADERS = 2 };
enum buffer { BUFFER_VM_CONFIGURATION = 6, BUFFER_PLUGIN_CONFIGURATION = 7 };

// All versions.
enum status HOST(proxy_log)(enum log_level level, const char *text, size_t size);
enum status HOST(proxy_set_tick_period_milliseconds)(uint32_t period);
enum status HOST(proxy_set_effective_context)(context_id context);
enum status HOST(proxy_get_header_map_value)(enum header_map map, const char *name, size_t name_size, char **value,
                                             size_t *value_size);
enum status HOST(proxy_add_header_map_value)(enum header_map map, const char *name, size_t name_size,
                                             const char *value, size_t value_size);
enum status HOST(proxy_replace_header_map_value)(enum header_map map, const char *name, size_t name_size,
                                                 const char *value, size_t value_size);
enum status HOST(proxy_remove_header_map_value)(enum header_map map, const char *name, size_t name_size);
// The parts of a path are joined by NUL bytes: "source\0address".
enum status HOST(proxy_get_property)(const char *path, size_t path_size, char **value, size_t *value_size);

// 0.2.0 and later.
enum status HOST(proxy_get_buffer_bytes)(enum buffer buffer, size_t start, size_t max_size, char **bytes,
                                         size_t *size);

// 0.1.0 only.
enum status HOST(proxy_get_configuration)(char **bytes, size_t *size);
enum status HOST(proxy_continue_request)(void);

#endif
