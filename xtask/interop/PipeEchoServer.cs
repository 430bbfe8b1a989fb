// A server that sends back what its one client sends, until that client goes.
using System;
using System.IO.Pipes;

static class PipeEchoServer
{
    static void Main(string[] args)
    {
        using (var server = new NamedPipeServerStream(
            args[0], PipeDirection.InOut, 1, PipeTransmissionMode.Byte, PipeOptions.Asynchronous))
        {
            Console.Error.WriteLine("ready");
            server.WaitForConnection();
            var bytes = new byte[100];
            int count;
            while ((count = server.Read(bytes, 0, bytes.Length)) > 0)
                server.Write(bytes, 0, count);
        }
        // Returning lets mono wait for its thread pool, now and then for as long as an idle thread of it may live.
        Environment.Exit(0);
    }
}
