// A client that opens the pipe for writing only, writes and closes. What it writes is the second argument, or else what
// comes on its stdin.
using System;
using System.IO.Pipes;
using System.Text;

static class PipeClientSend
{
    static void Main(string[] args)
    {
        using (var client = new NamedPipeClientStream(".", args[0], PipeDirection.Out))
        {
            client.Connect();
            if (args.Length > 1)
            {
                byte[] bytes = Encoding.Default.GetBytes(args[1]);
                client.Write(bytes, 0, bytes.Length);
            }
            else
            {
                using (var input = Console.OpenStandardInput())
                    input.CopyTo(client);
            }
        }
    }
}
