// Adds, sets and removes headers by rules, and says in `x-source-address` where the request came from.
//
// The configuration is text, a rule a line; empty lines and lines that begin with `#` are skipped:
//
//     [request|response] add NAME VALUE       one more value
//     [request|response] set NAME VALUE       this value instead of all others
//     [request|response] remove NAME
//
// A rule that names no direction holds for both. The value is the rest of the line.

#include "../include/proxy_wasm.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum verb { VERB_ADD, VERB_SET, VERB_REMOVE };

// A piece of the configuration, which stays in memory for as long as its root.
struct text {
    const char *at;
    size_t size;
};

struct rule {
    bool on_request, on_response;
    enum verb verb;
    struct text name, value;
    struct rule *next;
};

struct root {
    context_id id;
    char *configuration;
    struct rule *rules; // in the order of the lines
    struct root *next;
};

struct stream {
    context_id id;
    struct root *root;
    struct stream *next;
};

static struct root *roots;
static struct stream *streams;

void EXPORT(proxy_abi_version_0_2_1)(void) {}

void *EXPORT(proxy_on_memory_allocate)(size_t size) { return malloc(size ? size : 1); }

static struct root *root_of(context_id id) {
    for (struct root *root = roots; root; root = root->next)
        if (root->id == id) return root;
    return NULL;
}

static struct root *root_of_stream(context_id id) {
    for (struct stream *stream = streams; stream; stream = stream->next)
        if (stream->id == id) return stream->root;
    return NULL;
}

void EXPORT(proxy_on_context_create)(context_id id, context_id parent) {
    if (parent == 0) {
        struct root *root = calloc(1, sizeof *root);
        if (!root) abort();
        root->id = id;
        root->next = roots;
        roots = root;
    } else {
        struct stream *stream = malloc(sizeof *stream);
        if (!stream) abort();
        *stream = (struct stream){.id = id, .root = root_of(parent), .next = streams};
        streams = stream;
    }
}

static void forget_rules(struct root *root) {
    for (struct rule *rule = root->rules; rule;) {
        struct rule *next = rule->next;
        free(rule);
        rule = next;
    }
    root->rules = NULL;
    free(root->configuration);
    root->configuration = NULL;
}

void EXPORT(proxy_on_delete)(context_id id) {
    for (struct stream **link = &streams; *link; link = &(*link)->next) {
        if ((*link)->id != id) continue;
        struct stream *gone = *link;
        *link = gone->next;
        free(gone);
        return;
    }
    for (struct root **link = &roots; *link; link = &(*link)->next) {
        if ((*link)->id != id) continue;
        struct root *gone = *link;
        *link = gone->next;
        forget_rules(gone);
        free(gone);
        return;
    }
}

// Takes the next word off the line.
static struct text word(struct text *line) {
    while (line->size && *line->at == ' ') line->at++, line->size--;
    struct text word = {line->at, 0};
    while (word.size < line->size && word.at[word.size] != ' ') word.size++;
    line->at += word.size;
    line->size -= word.size;
    return word;
}

static struct text trimmed(struct text text) {
    while (text.size && *text.at == ' ') text.at++, text.size--;
    while (text.size && (text.at[text.size - 1] == ' ' || text.at[text.size - 1] == '\r')) text.size--;
    return text;
}

static bool is(struct text text, const char *expected) {
    return text.size == strlen(expected) && memcmp(text.at, expected, text.size) == 0;
}

// Gives what is wrong with the line, or NULL.
static const char *parse_rule(struct text line, struct rule *rule) {
    struct text verb = word(&line);
    rule->on_request = rule->on_response = true;
    if (is(verb, "request") || is(verb, "response")) {
        rule->on_request = is(verb, "request");
        rule->on_response = !rule->on_request;
        verb = word(&line);
    }
    if (is(verb, "add")) rule->verb = VERB_ADD;
    else if (is(verb, "set")) rule->verb = VERB_SET;
    else if (is(verb, "remove")) rule->verb = VERB_REMOVE;
    else return "a rule begins with add, set or remove";
    rule->name = word(&line);
    rule->value = trimmed(line);
    if (rule->name.size == 0) return "the header's name is missing";
    if (rule->verb == VERB_REMOVE && rule->value.size) return "remove takes a name and nothing else";
    if (rule->verb != VERB_REMOVE && !rule->value.size) return "the value is missing";
    return NULL;
}

static void log_text(enum log_level level, const char *text) { proxy_log(level, text, strlen(text)); }

static bool parse_rules(struct root *root, size_t size) {
    struct rule **end = &root->rules;
    const char *rest = root->configuration;
    const char *stop = rest + size;
    for (int number = 1; rest < stop; number++) {
        const char *newline = memchr(rest, '\n', stop - rest);
        struct text line = trimmed((struct text){rest, (newline ? newline : stop) - rest});
        rest = newline ? newline + 1 : stop;
        if (line.size == 0 || *line.at == '#') continue;
        struct rule *rule = calloc(1, sizeof *rule);
        if (!rule) abort();
        *end = rule;
        end = &rule->next;
        const char *wrong = parse_rule(line, rule);
        if (!wrong) continue;
        char message[128];
        snprintf(message, sizeof message, "c-headers: configuration line %d: %s", number, wrong);
        log_text(LOG_ERROR, message);
        return false;
    }
    return true;
}

bool EXPORT(proxy_on_configure)(context_id id, size_t size) {
    struct root *root = root_of(id);
    if (!root) return false;
    forget_rules(root);
    if (size == 0) return true;
    if (proxy_get_buffer_bytes(BUFFER_PLUGIN_CONFIGURATION, 0, size, &root->configuration, &size) != STATUS_OK) {
        log_text(LOG_ERROR, "c-headers: the configuration could not be read");
        return false;
    }
    return parse_rules(root, size);
}

static void apply(const struct rule *rule, enum header_map map) {
    switch (rule->verb) {
    case VERB_ADD:
        proxy_add_header_map_value(map, rule->name.at, rule->name.size, rule->value.at, rule->value.size);
        break;
    case VERB_SET:
        proxy_replace_header_map_value(map, rule->name.at, rule->name.size, rule->value.at, rule->value.size);
        break;
    case VERB_REMOVE:
        proxy_remove_header_map_value(map, rule->name.at, rule->name.size);
        break;
    }
}

static void set_source_address(enum header_map map) {
    static const char path[] = "source\0address";
    static const char name[] = "x-source-address";
    char *address = NULL;
    size_t size = 0;
    if (proxy_get_property(path, sizeof path - 1, &address, &size) != STATUS_OK) return;
    proxy_replace_header_map_value(map, name, sizeof name - 1, address, size);
    free(address);
}

static enum action on_headers(context_id id, enum header_map map) {
    set_source_address(map);
    const struct root *root = root_of_stream(id);
    for (const struct rule *rule = root ? root->rules : NULL; rule; rule = rule->next)
        if (map == MAP_REQUEST_HEADERS ? rule->on_request : rule->on_response) apply(rule, map);
    return ACTION_CONTINUE;
}

enum action EXPORT(proxy_on_request_headers)(context_id id, uint32_t count, uint32_t end_of_stream) {
    return on_headers(id, MAP_REQUEST_HEADERS);
}

enum action EXPORT(proxy_on_response_headers)(context_id id, uint32_t count, uint32_t end_of_stream) {
    return on_headers(id, MAP_RESPONSE_HEADERS);
}
