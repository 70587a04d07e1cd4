// Adds a header to each request and response, takes `x-powered-by` away, and can require a header of each request.
//
// The configuration is text, all lines optional:
//
//     header x-greeting: hello
//     require x-api-key

#include "proxy_wasm.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A piece of memory that something else owns.
struct text {
    const char *at;
    size_t size;
};

#define TEXT(literal) ((struct text){literal, sizeof literal - 1})

// One for each place in the proxy's configuration that names the filter. It lives as long as that.
struct plugin {
    context_id id;
    char *configuration; // what the texts below point into
    struct text header, value;
    struct text require; // requests without this header are refused; empty: none are
    uint32_t refused;    // the host's id of the counter `my_filter_refused`
    struct plugin *next;
};

// One for each request.
struct stream {
    context_id id;
    const struct plugin *plugin;
    struct stream *next;
};

static struct plugin *plugins;

enum { BUCKETS = 256 };
static struct stream *streams[BUCKETS];

void EXPORT(proxy_abi_version_0_2_1)(void) {}

void *EXPORT(proxy_on_memory_allocate)(size_t size) { return malloc(size); }

static void *new(size_t size) {
    void *memory = calloc(1, size);
    if (!memory) abort(); // the host says so in its log
    return memory;
}

static void log_text(enum log_level level, const char *text) { proxy_log(level, text, strlen(text)); }

static struct plugin *plugin_of(context_id id) {
    struct plugin *plugin = plugins;
    while (plugin && plugin->id != id) plugin = plugin->next;
    return plugin;
}

static const struct plugin *plugin_of_stream(context_id id) {
    const struct stream *stream = streams[id % BUCKETS];
    while (stream && stream->id != id) stream = stream->next;
    return stream ? stream->plugin : NULL;
}

void EXPORT(proxy_on_context_create)(context_id id, context_id parent) {
    if (parent == 0) {
        struct plugin *plugin = new(sizeof *plugin);
        *plugin = (struct plugin){.id = id, .next = plugins};
        plugins = plugin;
    } else {
        struct stream *stream = new(sizeof *stream);
        *stream = (struct stream){.id = id, .plugin = plugin_of(parent), .next = streams[id % BUCKETS]};
        streams[id % BUCKETS] = stream;
    }
}

void EXPORT(proxy_on_delete)(context_id id) {
    for (struct stream **link = &streams[id % BUCKETS]; *link; link = &(*link)->next) {
        if ((*link)->id != id) continue;
        struct stream *gone = *link;
        *link = gone->next;
        free(gone);
        return;
    }
    for (struct plugin **link = &plugins; *link; link = &(*link)->next) {
        if ((*link)->id != id) continue;
        struct plugin *gone = *link;
        *link = gone->next;
        free(gone->configuration);
        free(gone);
        return;
    }
}

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r'; }

static struct text trimmed(struct text text) {
    while (text.size && is_space(*text.at)) text.at++, text.size--;
    while (text.size && is_space(text.at[text.size - 1])) text.size--;
    return text;
}

// Takes what stands before the first `end` off the text, and that with it.
static struct text take_until(struct text *text, char end) {
    const char *found = text->size ? memchr(text->at, end, text->size) : NULL;
    struct text taken = {text->at, found ? (size_t)(found - text->at) : text->size};
    size_t gone = taken.size + (found ? 1 : 0);
    *text = (struct text){text->at + gone, text->size - gone};
    return trimmed(taken);
}

static bool is(struct text text, const char *expected) {
    return text.size == strlen(expected) && memcmp(text.at, expected, text.size) == 0;
}

static bool is_header_name(struct text name) {
    for (size_t at = 0; at < name.size; at++) {
        char c = name.at[at];
        bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (c == '\0' || (!alphanumeric && !strchr("!#$%&'*+-.^_`|~", c))) return false;
    }
    return name.size > 0;
}

static bool has_control_character(struct text text) {
    for (size_t at = 0; at < text.size; at++)
        if ((unsigned char)text.at[at] < ' ' || text.at[at] == 0x7f) return true;
    return false;
}

// Gives what is wrong with the line, or NULL.
static const char *parse_line(struct text line, struct plugin *plugin) {
    struct text key = take_until(&line, ' ');
    if (is(key, "header")) {
        plugin->header = take_until(&line, ':');
        plugin->value = trimmed(line);
        if (!is_header_name(plugin->header)) return "`header` needs NAME: VALUE";
        if (has_control_character(plugin->value)) return "the value has a control character";
        return NULL;
    }
    if (is(key, "require")) {
        plugin->require = trimmed(line);
        return is_header_name(plugin->require) ? NULL : "`require` needs the name of a header";
    }
    return "a line begins with `header` or `require`";
}

static bool parse(struct text rest, struct plugin *plugin) {
    for (int number = 1; rest.size; number++) {
        struct text line = take_until(&rest, '\n');
        const char *wrong = line.size ? parse_line(line, plugin) : NULL;
        if (!wrong) continue;
        char message[128];
        snprintf(message, sizeof message, "the configuration is refused: line %d: %s", number, wrong);
        log_text(LOG_ERROR, message);
        return false;
    }
    return true;
}

bool EXPORT(proxy_on_configure)(context_id id, size_t size) {
    struct plugin *plugin = plugin_of(id);
    if (!plugin) return false;
    free(plugin->configuration);
    plugin->configuration = NULL;
    plugin->header = TEXT("x-greeting");
    plugin->value = TEXT("hello");
    plugin->require = TEXT("");
    if (size && proxy_get_buffer_bytes(BUFFER_PLUGIN_CONFIGURATION, 0, size, &plugin->configuration, &size) != STATUS_OK) {
        log_text(LOG_ERROR, "the configuration cannot be read");
        return false;
    }
    if (!parse((struct text){plugin->configuration, size}, plugin)) return false;

    struct text counter = TEXT("my_filter_refused");
    if (proxy_define_metric(METRIC_COUNTER, counter.at, counter.size, &plugin->refused) != STATUS_OK) {
        log_text(LOG_ERROR, "the counter cannot be defined");
        return false;
    }
    char message[128];
    snprintf(message, sizeof message, "adds %.*s: %.*s", (int)plugin->header.size, plugin->header.at,
             (int)plugin->value.size, plugin->value.at);
    log_text(LOG_INFO, message);
    return true;
}

static bool has_header(enum header_map map, struct text name) {
    char *value = NULL;
    size_t size = 0;
    bool found = proxy_get_header_map_value(map, name.at, name.size, &value, &size) == STATUS_OK && size > 0;
    free(value);
    return found;
}

static void refuse(const struct plugin *plugin) {
    static const struct text details = TEXT("my_filter_header_missing");
    // One header: how many there are, the sizes of name and value, and both, each with a zero byte behind it.
    static const char headers[] = "\1\0\0\0" "\14\0\0\0" "\12\0\0\0" "content-type\0" "text/plain";
    char body[128];
    snprintf(body, sizeof body, "this needs the header %.*s\n", (int)plugin->require.size, plugin->require.at);
    proxy_increment_metric(plugin->refused, 1);
    proxy_send_local_response(401, details.at, details.size, body, strlen(body), headers, sizeof headers, -1);
}

enum action EXPORT(proxy_on_request_headers)(context_id id, uint32_t count, uint32_t end_of_stream) {
    const struct plugin *plugin = plugin_of_stream(id);
    if (!plugin) return ACTION_CONTINUE;
    if (plugin->require.size && !has_header(MAP_REQUEST_HEADERS, plugin->require)) {
        refuse(plugin);
        return ACTION_PAUSE;
    }
    proxy_add_header_map_value(MAP_REQUEST_HEADERS, plugin->header.at, plugin->header.size, plugin->value.at,
                               plugin->value.size);
    return ACTION_CONTINUE;
}

enum action EXPORT(proxy_on_response_headers)(context_id id, uint32_t count, uint32_t end_of_stream) {
    static const struct text powered_by = TEXT("x-powered-by");
    const struct plugin *plugin = plugin_of_stream(id);
    if (!plugin) return ACTION_CONTINUE;
    proxy_add_header_map_value(MAP_RESPONSE_HEADERS, plugin->header.at, plugin->header.size, plugin->value.at,
                               plugin->value.size);
    proxy_remove_header_map_value(MAP_RESPONSE_HEADERS, powered_by.at, powered_by.size);
    return ACTION_CONTINUE;
}
