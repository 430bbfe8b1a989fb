/* Makes the Win32 calls that .NET's named pipe streams make on Windows, as a peer to try quintet.exe against.
 *
 *   win32_pipe ROLE NAME MODE [LENGTH...]
 *
 * ROLE is server-send, server-receive, server-echo, client-send, client-receive or client-echo; MODE is byte or
 * message. Senders send one message a LENGTH, of letters in alphabetical order. Receivers read into 100 bytes until the
 * other side is gone and print a line a message: its length, in how many reads it came, and its content. The echoing
 * client sends a message and reads one, for each LENGTH.
 */
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER 100
#define LARGEST (4u * 1024 * 1024)

static char message[LARGEST];

static void fail(const char *what)
{
    fprintf(stderr, "%s: error %lu\n", what, GetLastError());
    exit(1);
}

/* A server's handle is overlapped (PipeOptions.Asynchronous), a client's is not. */
struct pipe {
    HANDLE handle;
    HANDLE event;
    BOOL by_message;
};

/* What an overlapped call started, or a plain one did. Returns FALSE and leaves the error for GetLastError. */
static BOOL finish(struct pipe *pipe, BOOL done, OVERLAPPED *overlapped, DWORD *count)
{
    if (!done && GetLastError() != ERROR_IO_PENDING && GetLastError() != ERROR_MORE_DATA)
        return FALSE;
    /* Fails with ERROR_MORE_DATA where the call itself did, and has the count. */
    return pipe->event ? GetOverlappedResult(pipe->handle, overlapped, count, TRUE) : done;
}

static void start(struct pipe *pipe, OVERLAPPED *overlapped)
{
    memset(overlapped, 0, sizeof *overlapped);
    overlapped->hEvent = pipe->event;
}

static void serve(struct pipe *pipe, const wchar_t *path)
{
    DWORD mode = pipe->by_message ? PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE : PIPE_TYPE_BYTE | PIPE_READMODE_BYTE;
    OVERLAPPED overlapped;
    DWORD count = 0;

    pipe->event = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (!pipe->event)
        fail("CreateEvent");
    pipe->handle = CreateNamedPipeW(path, PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED | FILE_FLAG_FIRST_PIPE_INSTANCE,
                                    mode | PIPE_WAIT, 1, 0, 0, 0, NULL);
    if (pipe->handle == INVALID_HANDLE_VALUE)
        fail("CreateNamedPipe");
    fprintf(stderr, "ready\n");
    fflush(stderr);

    start(pipe, &overlapped);
    if (!finish(pipe, ConnectNamedPipe(pipe->handle, &overlapped), &overlapped, &count)
        && GetLastError() != ERROR_PIPE_CONNECTED)
        fail("ConnectNamedPipe");
}

static void join(struct pipe *pipe, const wchar_t *path, DWORD access)
{
    for (;;) {
        DWORD mode = PIPE_READMODE_MESSAGE;
        pipe->handle = CreateFileW(path, access, 0, NULL, OPEN_EXISTING, 0, NULL);
        if (pipe->handle != INVALID_HANDLE_VALUE) {
            if (pipe->by_message && (access & GENERIC_READ)
                && !SetNamedPipeHandleState(pipe->handle, &mode, NULL, NULL))
                fail("SetNamedPipeHandleState");
            return;
        }
        if (GetLastError() == ERROR_PIPE_BUSY)
            WaitNamedPipeW(path, 1000);
        else if (GetLastError() == ERROR_FILE_NOT_FOUND)
            Sleep(1); /* As Connect() does: the server may be about to come. */
        else
            fail("CreateFile");
    }
}

static void send_one(struct pipe *pipe, DWORD length)
{
    OVERLAPPED overlapped;
    DWORD count = 0, i;

    if (length > LARGEST) {
        SetLastError(ERROR_INVALID_PARAMETER);
        fail("LENGTH");
    }
    for (i = 0; i < length; i++)
        message[i] = (char)('a' + i % 26);
    start(pipe, &overlapped);
    if (!finish(pipe, WriteFile(pipe->handle, message, length, &count, pipe->event ? &overlapped : NULL), &overlapped,
                &count))
        fail("WriteFile");
    if (count != length) {
        fprintf(stderr, "WriteFile wrote %lu of %lu bytes\n", count, length);
        exit(1);
    }
}

/* One read into the buffer. FALSE at the end of the stream; *complete tells whether the message is. */
static BOOL read_part(struct pipe *pipe, char *buffer, DWORD *count, BOOL *complete)
{
    OVERLAPPED overlapped;

    *count = 0;
    *complete = TRUE;
    start(pipe, &overlapped);
    if (finish(pipe, ReadFile(pipe->handle, buffer, BUFFER, count, pipe->event ? &overlapped : NULL), &overlapped,
               count))
        return TRUE;
    if (GetLastError() == ERROR_MORE_DATA) {
        /* The count is valid, and the rest of this message comes with the next read. */
        *complete = FALSE;
        return TRUE;
    }
    if (GetLastError() == ERROR_BROKEN_PIPE)
        return FALSE;
    fail("ReadFile");
    return FALSE;
}

/* One message, as the notes' loop over IsMessageComplete reads it. FALSE at the end of the stream. */
static BOOL receive_one(struct pipe *pipe, DWORD *length, DWORD *reads)
{
    BOOL complete;
    DWORD count;

    *length = *reads = 0;
    do {
        if (*length + BUFFER > LARGEST)
            fail("a message is too long");
        if (!read_part(pipe, message + *length, &count, &complete))
            return FALSE;
        *length += count;
        ++*reads;
    } while (!complete);
    return TRUE;
}

static void print_one(DWORD length, DWORD reads)
{
    printf("%lu in %lu: %.*s\n", length, reads, (int)length, message);
    fflush(stdout);
}

static void receive_all(struct pipe *pipe)
{
    DWORD length, reads;
    BOOL complete;

    if (pipe->by_message) {
        while (receive_one(pipe, &length, &reads))
            print_one(length, reads);
        return;
    }
    while (read_part(pipe, message, &length, &complete))
        fwrite(message, 1, length, stdout);
}

static void echo_all(struct pipe *pipe)
{
    DWORD length, reads, count = 0;
    OVERLAPPED overlapped;

    while (receive_one(pipe, &length, &reads)) {
        start(pipe, &overlapped);
        if (!finish(pipe, WriteFile(pipe->handle, message, length, &count, pipe->event ? &overlapped : NULL),
                    &overlapped, &count))
            fail("WriteFile");
    }
}

int main(int argc, char **argv)
{
    struct pipe pipe = {INVALID_HANDLE_VALUE, NULL, FALSE};
    DWORD length, reads;
    wchar_t path[300];
    const char *role;
    int i;

    if (argc < 4) {
        fprintf(stderr, "usage: win32_pipe ROLE NAME MODE [LENGTH...]\n");
        return 2;
    }
    role = argv[1];
    _setmode(_fileno(stdout), _O_BINARY);
    _snwprintf(path, 299, L"\\\\.\\pipe\\%hs", argv[2]);
    path[299] = 0;
    pipe.by_message = strcmp(argv[3], "message") == 0;

    if (strncmp(role, "server-", 7) == 0)
        serve(&pipe, path);
    else if (strcmp(role, "client-send") == 0)
        join(&pipe, path, GENERIC_WRITE);
    else if (strcmp(role, "client-receive") == 0)
        join(&pipe, path, GENERIC_READ | FILE_WRITE_ATTRIBUTES); /* Windows wants the second for the read mode. */
    else if (strcmp(role, "client-echo") == 0)
        join(&pipe, path, GENERIC_READ | GENERIC_WRITE);
    else {
        fprintf(stderr, "unknown role %s\n", role);
        return 2;
    }

    if (strcmp(role, "server-receive") == 0 || strcmp(role, "client-receive") == 0)
        receive_all(&pipe);
    else if (strcmp(role, "server-echo") == 0)
        echo_all(&pipe);
    else
        for (i = 4; i < argc; i++) {
            send_one(&pipe, (DWORD)strtoul(argv[i], NULL, 10));
            if (strcmp(role, "client-echo") == 0) {
                if (!receive_one(&pipe, &length, &reads))
                    fail("the server is gone");
                print_one(length, reads);
            }
        }
    CloseHandle(pipe.handle);
    return 0;
}
