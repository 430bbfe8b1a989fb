// A client that sends its second argument and waits until as many bytes have come back; they go to its stdout.
using System;
using System.IO.Pipes;
using System.Text;

static class PipeEchoClient
{
    static int Main(string[] args)
    {
        byte[] sent = Encoding.Default.GetBytes(args[1]);
        using (var client = new NamedPipeClientStream(".", args[0], PipeDirection.InOut))
        using (var output = Console.OpenStandardOutput())
        {
            client.Connect();
            client.Write(sent, 0, sent.Length);
            var bytes = new byte[100];
            int missing = sent.Length;
            while (missing > 0)
            {
                int count = client.Read(bytes, 0, Math.Min(bytes.Length, missing));
                if (count == 0)
                {
                    Console.Error.WriteLine("the stream ended " + missing + " bytes early");
                    return 1;
                }
                output.Write(bytes, 0, count);
                missing -= count;
            }
        }
        return 0;
    }
}
