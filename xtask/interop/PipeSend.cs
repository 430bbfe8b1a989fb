// The sending half of the notes: a server that writes and closes. What it writes is the second argument, or else what
// comes on its stdin. .NET has no message mode outside Windows, hence Byte.
using System;
using System.IO.Pipes;
using System.Text;

static class PipeSend
{
    static void Main(string[] args)
    {
        using (var server = new NamedPipeServerStream(
            args[0], PipeDirection.InOut, 1, PipeTransmissionMode.Byte, PipeOptions.Asynchronous))
        {
            Console.Error.WriteLine("ready");
            server.WaitForConnection();
            if (args.Length > 1)
            {
                byte[] bytes = Encoding.Default.GetBytes(args[1]);
                server.Write(bytes, 0, bytes.Length);
            }
            else
            {
                using (var input = Console.OpenStandardInput())
                    input.CopyTo(server);
            }
        }
        // Returning lets mono wait for its thread pool, now and then for as long as an idle thread of it may live.
        Environment.Exit(0);
    }
}
