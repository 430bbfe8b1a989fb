/* A socket as nng's own library has it on Windows: the orders and answers are those of sockets.py.
 *
 *   nng PATTERN
 *
 *   listen ADDRESS | dial ADDRESS | subscribe TOPIC | peers N | send N [TOPIC] | recv | request N | reply | close
 */
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include "win32_answers.h"

#include <fcntl.h>
#include <io.h>
#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <nng/protocol/pair1/pair.h>
#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>
#include <nng/protocol/pubsub0/pub.h>
#include <nng/protocol/pubsub0/sub.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <string.h>

static nng_socket ours;

/* Connections that stand, which nng tells of on a thread of its own. */
static LONG peers;

static const struct {
    const char *name;
    int (*open)(nng_socket *);
} patterns[] = {
    { "pair", nng_pair0_open },  { "pair1", nng_pair1_open }, { "pub", nng_pub0_open },
    { "sub", nng_sub0_open },    { "req", nng_req0_open },    { "rep", nng_rep0_open },
    { "push", nng_push0_open },  { "pull", nng_pull0_open },
};

/* Ends the program, and so the case, if a call of nng's has failed. */
static void check(int failed, const char *what)
{
    if (failed) {
        fprintf(stderr, "%s: %s\n", what, nng_strerror(failed));
        exit(1);
    }
}

static void count(nng_pipe pipe, nng_pipe_ev event, void *unused)
{
    (void)pipe;
    (void)unused;
    if (event == NNG_PIPE_EV_ADD_POST)
        InterlockedIncrement(&peers);
    else
        InterlockedDecrement(&peers);
}

static void open_socket(const char *pattern)
{
    size_t at;

    for (at = 0; at < sizeof patterns / sizeof *patterns; at++)
        if (strcmp(patterns[at].name, pattern) == 0) {
            check(patterns[at].open(&ours), pattern);
            check(nng_pipe_notify(ours, NNG_PIPE_EV_ADD_POST, count, NULL), "notify");
            check(nng_pipe_notify(ours, NNG_PIPE_EV_REM_POST, count, NULL), "notify");
            /* The default is 1 MiB for what is received. */
            check(nng_socket_set_size(ours, NNG_OPT_RECVMAXSZ, 0), "no limit");
            return;
        }
    refuse(pattern);
}

/* "N" or "N TOPIC": the topic, and N bytes that follow from N. */
static void send_message(const char *words)
{
    char topic[64] = "";
    size_t length, prefix, at;
    unsigned char *body;
    nng_msg *message;

    if (sscanf(words, "%zu %63s", &length, topic) < 1)
        refuse(words);
    prefix = strlen(topic);
    check(nng_msg_alloc(&message, prefix + length), "a message");
    body = nng_msg_body(message);
    memcpy(body, topic, prefix);
    for (at = 0; at < length; at++)
        body[prefix + at] = (unsigned char)(at * 31 + length);
    check(nng_sendmsg(ours, message, 0), "send");
}

/* Answers with what came: its length, and the sum of its bytes. */
static nng_msg *receive(void)
{
    nng_msg *message;

    check(nng_recvmsg(ours, &message, 0), "receive");
    return message;
}

static void describe(nng_msg *message)
{
    const unsigned char *body = nng_msg_body(message);
    size_t length = nng_msg_len(message), at;
    unsigned long long sum = 0;
    char text[64];

    for (at = 0; at < length; at++)
        sum += body[at];
    snprintf(text, sizeof text, "%zu %llu", length, sum);
    answer(text);
}

static void describe_next(void)
{
    nng_msg *message = receive();

    describe(message);
    nng_msg_free(message);
}

static void reply(void)
{
    nng_msg *message = receive(), *same;

    check(nng_msg_dup(&same, message), "a message");
    check(nng_sendmsg(ours, same, 0), "reply");
    describe(message);
    nng_msg_free(message);
}

static void obey(const char *order)
{
    const char *rest = strchr(order, ' ');

    rest = rest ? rest + 1 : "";
    if (strncmp(order, "listen ", 7) == 0) {
        check(nng_listen(ours, rest, NULL, 0), order);
        answer("listening");
    } else if (strncmp(order, "dial ", 5) == 0) {
        check(nng_dial(ours, rest, NULL, 0), order);
        answer("dialed");
    } else if (strncmp(order, "subscribe ", 10) == 0) {
        check(nng_socket_set(ours, NNG_OPT_SUB_SUBSCRIBE, rest, strlen(rest)), order);
        answer("subscribed");
    } else if (strncmp(order, "peers ", 6) == 0) {
        /* Whoever runs us gives up in time. */
        while (InterlockedCompareExchange(&peers, 0, 0) < atol(rest))
            Sleep(2);
        answer("there");
    } else if (strncmp(order, "send ", 5) == 0) {
        send_message(rest);
        answer("sent");
    } else if (strcmp(order, "recv") == 0) {
        describe_next();
    } else if (strncmp(order, "request ", 8) == 0) {
        send_message(rest);
        describe_next();
    } else if (strcmp(order, "reply") == 0) {
        reply();
    } else if (strcmp(order, "close") == 0) {
        check(nng_close(ours), order);
        answer("closed");
    } else {
        refuse(order);
    }
}

int main(int count_of_words, char **words)
{
    char order[512];

    if (count_of_words != 2)
        refuse("the command line");
    _setmode(_fileno(stdin), _O_BINARY);
    _setmode(_fileno(stdout), _O_BINARY);
    open_socket(words[1]);
    while (fgets(order, sizeof order, stdin)) {
        order[strcspn(order, "\n")] = '\0';
        obey(order);
    }
    return 0;
}
