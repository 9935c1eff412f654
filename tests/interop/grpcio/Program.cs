using Overlay.Interop.Grpcio;

// "server PATH" serves on the Unix socket PATH and on a free loopback port, which it prints;
// "client ADDRESS" checks a foreign server and prints a line per check.
switch (args)
{
    case ["server", string path]:
        await EchoHost.RunAsync(path);
        return 0;
    case ["client", string address]:
        return await ClientChecks.RunAsync(address);
    default:
        await Console.Error.WriteLineAsync("Usage: grpc-interop server PATH | client ADDRESS");
        return 2;
}
