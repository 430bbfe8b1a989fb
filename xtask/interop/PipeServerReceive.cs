// A server that reads what its one client has to say. What it reads goes to its stdout.
using System;
using System.IO.Pipes;

static class PipeServerReceive
{
    static void Main(string[] args)
    {
        using (var server = new NamedPipeServerStream(
            args[0], PipeDirection.In, 1, PipeTransmissionMode.Byte, PipeOptions.Asynchronous))
        using (var output = Console.OpenStandardOutput())
        {
            Console.Error.WriteLine("ready");
            server.WaitForConnection();
            var bytes = new byte[100];
            int count;
            while ((count = server.Read(bytes, 0, bytes.Length)) > 0)
                output.Write(bytes, 0, count);
        }
        // Returning lets mono wait for its thread pool, now and then for as long as an idle thread of it may live.
        Environment.Exit(0);
    }
}
