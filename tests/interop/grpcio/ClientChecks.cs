using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Overlay.Tests.Protos;

namespace Overlay.Interop.Grpcio;

/// <summary>What our client must get from a foreign server.</summary>
internal sealed class ClientChecks(Echo.EchoClient client)
{
    public static async Task<int> RunAsync(string address)
    {
        using GrpcChannel channel = GrpcChannel.ForAddress($"http://{address}");
        ClientChecks checks = new(new Echo.EchoClient(channel));
        (string Name, Func<Task> Check)[] all =
        [
            ("unary", checks.UnaryAsync),
            ("large unary", checks.LargeAsync),
            ("client stream", checks.CollectAsync),
            ("server stream", checks.RepeatAsync),
            ("duplex stream", checks.ChatAsync),
            ("metadata and trailers", checks.MetadataAsync),
            ("status and details", checks.StatusAsync),
            ("status after messages", checks.LateStatusAsync),
            ("foreign exception", () => checks.ExpectAsync(StatusCode.Unknown, "throw")),
            ("unknown method", () => UnknownAsync(channel)),
            ("deadline", checks.DeadlineAsync),
            ("cancellation reaches the server", checks.CancelAsync),
            ("a hundred calls at once", checks.ManyAsync),
        ];
        int failed = 0;
        foreach ((string name, Func<Task> check) in all)
        {
            try
            {
                await check().WaitAsync(TimeSpan.FromSeconds(20));
                Console.WriteLine($"ok our client: {name}");
            }
            catch (Exception error)
            {
                failed++;
                Console.WriteLine($"not ok our client: {name}: {error.Message}");
            }
        }

        return failed == 0 ? 0 : 1;
    }

    private static void Same<T>(T expected, T actual)
    {
        if (!EqualityComparer<T>.Default.Equals(expected, actual))
        {
            throw new InvalidDataException($"expected {expected}, got {actual}");
        }
    }

    private static async Task<RpcException> RefusedAsync(Func<Task> call)
    {
        try
        {
            await call();
        }
        catch (RpcException refusal)
        {
            return refusal;
        }

        throw new InvalidDataException("the call succeeded");
    }

    private async Task UnaryAsync() =>
        Same("hello", (await client.UnaryAsync(new EchoRequest { Text = "hello" })).Text);

    private async Task LargeAsync()
    {
        ByteString payload = ByteString.CopyFrom(new byte[3_000_000]);
        Same(payload, (await client.UnaryAsync(new EchoRequest { Payload = payload })).Payload);
    }

    private async Task CollectAsync()
    {
        using var call = client.Collect();
        foreach (string text in (string[])["a", "b", "c"])
        {
            await call.RequestStream.WriteAsync(new EchoRequest { Text = text });
        }

        await call.RequestStream.CompleteAsync();
        Same("abc", (await call).Text);
    }

    private async Task RepeatAsync()
    {
        using var call = client.Repeat(new EchoRequest { Text = "r", Count = 50 });
        uint next = 0;
        await foreach (EchoReply reply in call.ResponseStream.ReadAllAsync())
        {
            Same(next++, reply.Index);
        }

        Same(50u, next);
    }

    private async Task ChatAsync()
    {
        using var call = client.Chat();
        for (int i = 0; i < 10; i++)
        {
            await call.RequestStream.WriteAsync(new EchoRequest { Text = $"{i}" });
            Same(true, await call.ResponseStream.MoveNext(CancellationToken.None));
            Same($"{i}", call.ResponseStream.Current.Text);
        }

        await call.RequestStream.CompleteAsync();
        Same(false, await call.ResponseStream.MoveNext(CancellationToken.None));
    }

    private async Task MetadataAsync()
    {
        Metadata headers = new() { { "x-text", "plain" }, { "x-raw-bin", [0, 1, 254, 255] } };
        using var call = client.UnaryAsync(new EchoRequest { Behaviour = "headers" }, headers);
        Metadata received = await call.ResponseHeadersAsync;
        Same("plain", received.GetValue("x-text"));
        Same("0001FEFF", Convert.ToHexString(received.GetValueBytes("x-raw-bin")!));
        await call;
        Same("word", call.GetTrailers().GetValue("last"));
        Same("00FF", Convert.ToHexString(call.GetTrailers().GetValueBytes("last-bin")!));
    }

    private async Task<RpcException> ExpectAsync(StatusCode code, string behaviour)
    {
        RpcException refusal = await RefusedAsync(
            async () => await client.UnaryAsync(new EchoRequest { Behaviour = behaviour }));
        Same(code, refusal.StatusCode);
        return refusal;
    }

    private async Task StatusAsync()
    {
        RpcException refusal = await ExpectAsync(StatusCode.FailedPrecondition, "fail");
        Same("größer % als\n1", refusal.Status.Detail);
        Same("asked", refusal.Trailers.GetValue("reason"));
        Same("0102FF", Convert.ToHexString(refusal.Trailers.GetValueBytes("grpc-status-details-bin")!));
    }

    private async Task LateStatusAsync()
    {
        using var call = client.Repeat(new EchoRequest { Count = 1, Behaviour = "fail" });
        Same(true, await call.ResponseStream.MoveNext(CancellationToken.None));
        RpcException refusal = await RefusedAsync(() => call.ResponseStream.MoveNext(CancellationToken.None));
        Same(StatusCode.DataLoss, refusal.StatusCode);
    }

    private static async Task UnknownAsync(GrpcChannel channel)
    {
        RpcException refusal = await RefusedAsync(async () =>
            await new Other.OtherClient(channel).NothingAsync(new EchoRequest()));
        Same(StatusCode.Unimplemented, refusal.StatusCode);
    }

    private async Task DeadlineAsync()
    {
        RpcException refusal = await RefusedAsync(async () => await client.UnaryAsync(
            new EchoRequest { Behaviour = "wait" }, deadline: DateTime.UtcNow.AddMilliseconds(300)));
        Same(StatusCode.DeadlineExceeded, refusal.StatusCode);
    }

    private async Task CancelAsync()
    {
        using (var call = client.Repeat(new EchoRequest { Count = 1, Behaviour = "wait", Text = "gone" }))
        {
            Same(true, await call.ResponseStream.MoveNext(CancellationToken.None));
        }

        Same("gone", (await client.UnaryAsync(new EchoRequest { Behaviour = "was-cancelled", Text = "gone" })).Text);
    }

    private async Task ManyAsync()
    {
        EchoReply[] replies = await Task.WhenAll(Enumerable.Range(0, 100).Select(
            i => client.UnaryAsync(new EchoRequest { Text = $"{i}" }).ResponseAsync));
        for (int i = 0; i < replies.Length; i++)
        {
            Same($"{i}", replies[i].Text);
        }
    }
}
