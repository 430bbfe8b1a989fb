// The receiving half of the notes: a client that opens the pipe for reading only and reads into a small buffer until
// the end of the stream. What it reads goes to its stdout.
using System;
using System.IO.Pipes;

static class PipeReceive
{
    static void Main(string[] args)
    {
        using (var client = new NamedPipeClientStream(".", args[0], PipeDirection.In))
        using (var output = Console.OpenStandardOutput())
        {
            client.Connect();
            var bytes = new byte[100];
            int count;
            do
            {
                count = client.Read(bytes, 0, bytes.Length);
                output.Write(bytes, 0, count);
            }
            while (count > 0);
        }
    }
}
