// A module for Trivy that finds keys of an example service in files: "acme_" and 24 letters or digits behind it.

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT(name) __attribute__((export_name(name)))
#define PREFIX "acme_"
#define KEY_LENGTH 24
#define MOST_FINDINGS 100
#define MOST_SHOWN 160

__attribute__((import_module("env"), import_name("debug"))) void env_debug(const char *text, uint32_t size);
__attribute__((import_module("env"), import_name("error"))) void env_error(const char *text, uint32_t size);

EXPORT("malloc") void *exported_malloc(size_t size) { return malloc(size); }
// One parameter, as the C library has it.
EXPORT("free") void exported_free(void *pointer) { free(pointer); }

static uint64_t range(const char *text, size_t size) { return (uint64_t)(uintptr_t)text << 32 | size; }
static uint64_t literal(const char *text) { return range(text, strlen(text)); }

EXPORT("name") uint64_t module_name(void) { return literal("acme-secrets"); }
EXPORT("version") uint32_t module_version(void) { return 1; }
EXPORT("api_version") uint32_t module_api_version(void) { return 1; }
// 32 bits, as modules have it that were written by hand.
EXPORT("is_analyzer") uint32_t module_is_analyzer(void) { return 1; }
EXPORT("is_post_scanner") uint32_t module_is_post_scanner(void) { return 0; }
EXPORT("required") uint64_t module_required(void) { return literal("[\"\\\\.(env|ini|txt|ya?ml)$\"]"); }
EXPORT("post_scan") uint64_t module_post_scan(const char *results, uint32_t size) { return literal("[]"); }

// What is given to the host, in memory that is used again for the next file: a host that calls free with one parameter
// does so for its own input only.
static char *out;
static size_t out_size, out_room;

static void put(const char *text, size_t size) {
  if (out_size + size > out_room) {
    out_room = (out_size + size) * 2;
    out = realloc(out, out_room);
    if (!out) abort();
  }
  memcpy(out + out_size, text, size);
  out_size += size;
}

static void put_text(const char *text) { put(text, strlen(text)); }

static void put_number(long number) {
  char digits[24];
  put(digits, (size_t)snprintf(digits, sizeof digits, "%ld", number));
}

// A string of JSON, without its quotes.
static void put_escaped(const char *text, size_t size) {
  for (size_t i = 0; i < size; i++) {
    unsigned char c = (unsigned char)text[i];
    char escaped[8];
    if (c == '"' || c == '\\' || c < ' ')
      put(escaped, (size_t)snprintf(escaped, sizeof escaped, "\\u%04x", c));
    else
      put(&text[i], 1);
  }
}

static int is_key(const char *text, const char *end) {
  if ((size_t)(end - text) < strlen(PREFIX) + KEY_LENGTH || memcmp(text, PREFIX, strlen(PREFIX))) return 0;
  for (int i = 0; i < KEY_LENGTH; i++)
    if (!isalnum((unsigned char)text[strlen(PREFIX) + (size_t)i])) return 0;
  return 1;
}

// The line with stars in place of the key.
static void put_line(const char *line, const char *key, const char *end) {
  size_t before = (size_t)(key - line);
  const char *behind = key + strlen(PREFIX) + KEY_LENGTH;
  size_t after = (size_t)(end - behind);
  put_escaped(line, before < MOST_SHOWN ? before : MOST_SHOWN);
  put_text("*****************************");
  put_escaped(behind, after < MOST_SHOWN ? after : MOST_SHOWN);
}

static void put_finding(const char *contents, const char *line, const char *key, const char *end, long number) {
  put_text("{\"RuleID\":\"acme-key\",\"Category\":\"Acme\",\"Severity\":\"HIGH\",\"Title\":\"Key of the Acme service\",\"StartLine\":");
  put_number(number);
  put_text(",\"EndLine\":");
  put_number(number);
  put_text(",\"Code\":{\"Lines\":[{\"Number\":");
  put_number(number);
  put_text(",\"Content\":\"");
  put_line(line, key, end);
  put_text("\",\"IsCause\":true,\"FirstCause\":true,\"LastCause\":true}]},\"Match\":\"");
  put_line(line, key, end);
  put_text("\",\"Offset\":");
  put_number((long)(key - contents));
  put_text("}");
}

static int find(const char *contents, size_t size, const char *path) {
  int findings = 0;
  long number = 1;
  const char *end_of_file = contents + size;
  for (const char *line = contents; line < end_of_file && findings < MOST_FINDINGS; number++) {
    const char *end = memchr(line, '\n', (size_t)(end_of_file - line));
    if (!end) end = end_of_file;
    for (const char *at = line; at < end; at++) {
      if (!is_key(at, end)) continue;
      if (findings++) put_text(",");
      put_finding(contents, line, at, end, number);
      break;
    }
    line = end + 1;
  }
  return findings;
}

static char *read_file(const char *path, size_t *size) {
  FILE *file = fopen(path, "rb");
  if (!file) return NULL;
  char *contents = NULL;
  if (!fseek(file, 0, SEEK_END)) {
    long length = ftell(file);
    rewind(file);
    contents = length < 0 ? NULL : malloc((size_t)length + 1);
    if (contents) *size = fread(contents, 1, (size_t)length, file);
  }
  fclose(file);
  return contents;
}

EXPORT("analyze") uint64_t module_analyze(const char *path, uint32_t path_size) {
  char *name = strndup(path, path_size);
  size_t size = 0;
  char *contents = name ? read_file(name, &size) : NULL;
  if (!contents) {
    char text[256];
    int length = snprintf(text, sizeof text, "%.200s cannot be read", name ? name : "?");
    env_error(text, (uint32_t)length);
    free(name);
    return 0;
  }
  env_debug(path, path_size);
  out_size = 0;
  // The path in a report has no slash at its beginning.
  put_text("{\"Secrets\":[{\"FilePath\":\"");
  put_escaped(name + 1, strlen(name + 1));
  put_text("\",\"Findings\":[");
  int findings = find(contents, size, name);
  put_text("]}]}");
  free(contents);
  free(name);
  return findings ? range(out, out_size) : literal("{}");
}
