using Grpc.Core;
using Overlay.Cluster;
using Overlay.Daemon.Errors;

namespace Overlay.Tests.Daemon.Errors;

public sealed class RefusalStatusTests
{
    [Fact]
    public void Every_kind_of_refusal_has_codes_and_crosses_the_wire()
    {
        foreach (RefusalKind kind in Enum.GetValues<RefusalKind>())
        {
            RpcException error = RefusalStatus.ToException(
                new Refusal(kind, "It was not done.", "Because.", "Do this."));

            Assert.True(RefusalStatus.TryRead(error, out Failure failure));
            (StatusCode code, int exitCode) = RefusalStatus.CodesOf(kind);
            Assert.Equal(code, error.StatusCode);
            Assert.Equal(new Failure("It was not done.", "Because.", "Do this.", exitCode), failure);
            Assert.Equal("it was not done: because. Do this.", error.Status.Detail);
        }
    }

    [Fact]
    public void An_outcome_is_its_value_or_throws_its_refusal()
    {
        Assert.Equal("x", RefusalStatus.Require<string>("x"));
        RpcException error = Assert.Throws<RpcException>(() => RefusalStatus.Require<string>(
            new Refusal(RefusalKind.NotFound, "a", "b", "c")));
        Assert.Equal(StatusCode.NotFound, error.StatusCode);
    }

    [Fact]
    public void Details_too_long_for_a_header_are_left_out()
    {
        RpcException error = RefusalStatus.Create(
            StatusCode.Internal, "a", new string('x', 5000), "", ExitCode.Failure);
        Assert.Empty(error.Trailers);
        Assert.False(RefusalStatus.TryRead(error, out _));
    }

    [Fact]
    public void Bytes_of_a_strange_peer_are_no_failure_and_never_throw()
    {
        Overlay.Primitives.Prng random = new(7);
        for (int round = 0; round < 2000; round++)
        {
            byte[] bytes = new byte[random.Next(64)];
            random.Fill(bytes);
            Metadata trailers = [];
            trailers.Add(RefusalStatus.Trailer, bytes);
            _ = RefusalStatus.TryRead(new RpcException(new Status(StatusCode.Internal, ""), trailers), out _);
        }
    }
}
