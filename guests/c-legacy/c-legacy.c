// A filter for ABI 0.1.0, as they were written before 2020: it exports `malloc`, its header callbacks take two
// parameters, and it uses the host functions that later versions dropped.
//
// It pauses every request in its headers and lets it go on at the next tick, 10 ms later at most. The response gets
//   x-legacy: the configuration, or `0.1.0` when that is empty
//   x-legacy-missing: what the host said about a request header that is not there, `status 0, 0 bytes` in this version

#include "../include/proxy_wasm.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_MILLISECONDS 10

struct stream {
    context_id id;
    bool waits;
    char missing[40];
    struct stream *next;
};

static struct stream *streams;
static char *label;
static size_t label_size;

void EXPORT(proxy_abi_version_0_1_0)(void) {}

// The host's allocator is the C library's own; only its export is written here.
__attribute__((export_name("malloc"))) void *exported_malloc(size_t size) { return malloc(size ? size : 1); }

static struct stream *stream_of(context_id id) {
    for (struct stream *stream = streams; stream; stream = stream->next)
        if (stream->id == id) return stream;
    return NULL;
}

void EXPORT(proxy_on_context_create)(context_id id, context_id parent) {
    if (parent == 0) return;
    struct stream *stream = calloc(1, sizeof *stream);
    if (!stream) abort();
    stream->id = id;
    stream->next = streams;
    streams = stream;
}

void EXPORT(proxy_on_delete)(context_id id) {
    for (struct stream **link = &streams; *link; link = &(*link)->next) {
        if ((*link)->id != id) continue;
        struct stream *gone = *link;
        *link = gone->next;
        free(gone);
        return;
    }
}

bool EXPORT(proxy_on_configure)(context_id root, size_t size) {
    free(label);
    label = NULL;
    label_size = 0;
    if (proxy_get_configuration(&label, &label_size) != STATUS_OK) label_size = 0;
    return proxy_set_tick_period_milliseconds(TICK_MILLISECONDS) == STATUS_OK;
}

// A stream that is over waits no more: the host may not know it any longer.
bool EXPORT(proxy_on_done)(context_id id) {
    struct stream *stream = stream_of(id);
    if (stream) stream->waits = false;
    return true;
}

void EXPORT(proxy_on_tick)(context_id root) {
    for (struct stream *stream = streams; stream; stream = stream->next) {
        if (!stream->waits) continue;
        stream->waits = false;
        proxy_set_effective_context(stream->id);
        proxy_continue_request();
    }
    proxy_set_effective_context(root);
}

enum action EXPORT(proxy_on_request_headers)(context_id id, uint32_t count) {
    static const char name[] = "x-no-such-header";
    struct stream *stream = stream_of(id);
    if (!stream) return ACTION_CONTINUE;
    char *value = NULL;
    size_t size = 0;
    int status = proxy_get_header_map_value(MAP_REQUEST_HEADERS, name, sizeof name - 1, &value, &size);
    snprintf(stream->missing, sizeof stream->missing, "status %d, %zu bytes", status, size);
    free(value);
    stream->waits = true;
    return ACTION_PAUSE;
}

static void add_response_header(const char *name, const char *value, size_t size) {
    proxy_add_header_map_value(MAP_RESPONSE_HEADERS, name, strlen(name), value, size);
}

enum action EXPORT(proxy_on_response_headers)(context_id id, uint32_t count) {
    static const char version[] = "0.1.0";
    const struct stream *stream = stream_of(id);
    if (label_size) add_response_header("x-legacy", label, label_size);
    else add_response_header("x-legacy", version, sizeof version - 1);
    if (stream) add_response_header("x-legacy-missing", stream->missing, strlen(stream->missing));
    return ACTION_CONTINUE;
}
