using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using Overlay.Daemon.Trust;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Tests.Daemon.Trust;

public sealed class CertificateRenewalTests : IDisposable
{
    private const string ClusterId = "0123456789abcdef";
    private static readonly DateTimeOffset Start = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    private readonly TemporaryFolder folder = new();
    private readonly CertificateAuthority authority = CertificateAuthority.Create(ClusterId, Start.AddDays(-1));
    private readonly ManualTime time = new(Start);
    private readonly CapturedLogs logs = new();
    private int renewals;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        time.Dispose();
        logs.Factory.Dispose();
        logs.Dispose();
        authority.Dispose();
        folder.Dispose();
    }

    [Theory]
    [InlineData(60)]
    [InlineData(600)]
    [InlineData(3600)]
    [InlineData(90 * 86400)]
    public async Task Every_renewal_comes_between_50_and_80_percent_of_the_life(int lifeSeconds)
    {
        TimeSpan life = TimeSpan.FromSeconds(lifeSeconds);
        NodeIdentity identity = Make(life);
        List<double> shares = [];
        await RunUntilAsync(identity, request =>
        {
            DateTimeOffset now = time.GetUtcNow();
            shares.Add((now - identity.NotBefore) / (identity.NotAfter - identity.NotBefore));
            Assert.True(now < identity.NotAfter, "it is renewed before its end");
            return Sign(request, life, now);
        }, () => shares.Count >= 40);
        // Certificates count in whole seconds, which is much of a minute's life.
        double slack = 1.0 / lifeSeconds;
        Assert.All(shares, share => Assert.InRange(share, 0.5 - slack, 0.8 + slack));
        Assert.True(shares.Distinct().Count() > 20, "nodes do not crowd");
    }

    [Fact]
    public void The_instant_is_drawn_from_the_whole_range()
    {
        NodeIdentity identity = Make(TimeSpan.FromDays(90));
        TimeSpan life = identity.NotAfter - identity.NotBefore;
        double[] shares =
        [
            .. Enumerable.Range(0, 500).Select(seed => (Renewal(identity, static _ => null, (ulong)seed).Next() - identity.NotBefore) / life),
        ];
        Assert.InRange(shares.Min(), 0.5, 0.52);
        Assert.InRange(shares.Max(), 0.78, 0.8);
    }

    [Fact]
    public async Task A_failure_is_told_and_tried_again_until_it_works()
    {
        NodeIdentity identity = Make(TimeSpan.FromDays(1));
        int calls = 0;
        await RunUntilAsync(identity, request => ++calls switch
        {
            1 => null,
            2 => [.. "garbage"u8],
            3 => Sign(NodeIdentity.RequestFor(ECDsa.Create(ECCurve.NamedCurves.nistP256)), TimeSpan.FromDays(1), time.GetUtcNow()),
            4 => Sign(request, TimeSpan.FromDays(1), time.GetUtcNow()),
            _ => null,
        }, () => calls == 4);
        Assert.Equal(3, logs.Warnings.Count);
        Assert.Contains("no manager renewed it", logs.Warnings[0], StringComparison.Ordinal);
        Assert.Contains("cannot be read", logs.Warnings[1], StringComparison.Ordinal);
        Assert.Contains("not of this node's key", logs.Warnings[2], StringComparison.Ordinal);
        Assert.Equal(time.GetUtcNow().AddDays(1).Date, identity.NotAfter.Date);
    }

    [Fact]
    public async Task A_clock_far_ahead_of_the_managers_does_not_ask_in_a_circle()
    {
        NodeIdentity identity = Make(TimeSpan.FromHours(1));
        List<DateTimeOffset> asked = [];
        await RunUntilAsync(identity, request =>
        {
            asked.Add(time.GetUtcNow());
            return Sign(request, TimeSpan.FromHours(1), time.GetUtcNow().AddMinutes(-55));
        }, () => asked.Count >= 10);
        Assert.All(asked.Zip(asked.Skip(1)), pair => Assert.True(pair.Second - pair.First >= TimeSpan.FromSeconds(30)));
    }

    [Fact]
    public async Task A_newer_root_hastens_it()
    {
        NodeIdentity identity = Make(TimeSpan.FromDays(90));
        using CertificateAuthority next = CertificateAuthority.Create(ClusterId, Start);
        byte[] cross = authority.CrossSign(next);
        CertificateRenewal renewal = new(
            identity,
            (request, _) => Task.FromResult<NodeIdentity.Issued?>(new(
                next.SignNode(request, new(7), NodeRole.Worker, ClusterId, TimeSpan.FromDays(90), time.GetUtcNow()).Value, [cross])),
            () => renewals++, time, new Prng(1), new Logger<CertificateRenewal>(logs.Factory));
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        renewal.Hasten();
        Task running = Task.Run(() => renewal.RunAsync(stop.Token), Cancelled);
        Assert.True(identity.IsOfNewestRoot);
        identity.Believe(authority.CertificateDer, next.CertificateDer);
        Assert.False(identity.IsOfNewestRoot);
        renewal.Hasten();
        while (!identity.IsOfNewestRoot && !running.IsFaulted)
        {
            await time.PassToNextTimerAsync(Cancelled);
        }

        Assert.Equal(1, renewals);
        Assert.InRange(time.GetUtcNow() - Start, TimeSpan.Zero, TimeSpan.FromDays(1));
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
    }

    [Fact]
    public async Task Another_role_is_asked_for_again_at_once_where_no_manager_answered()
    {
        NodeIdentity identity = Make(TimeSpan.FromDays(90));
        List<DateTimeOffset> asked = [];
        CertificateRenewal renewal = Renewal(identity, request =>
        {
            asked.Add(time.GetUtcNow());
            return asked.Count < 4
                ? null
                : authority.SignNode(request, new(7), NodeRole.Manager, ClusterId, TimeSpan.FromDays(90), time.GetUtcNow()).Value;
        });
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        renewal.Want(NodeRole.Manager);
        Task running = Task.Run(() => renewal.RunAsync(stop.Token), Cancelled);
        while (identity.Role != NodeRole.Manager && !running.IsFaulted)
        {
            await time.PassToNextTimerAsync(Cancelled);
        }

        Assert.Equal(4, asked.Count);
        Assert.InRange(asked[^1] - Start, TimeSpan.Zero, TimeSpan.FromSeconds(5));
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
    }

    private CertificateRenewal Renewal(NodeIdentity identity, Func<byte[], byte[]?> renew, ulong seed = 1) => new(
        identity,
        (request, _) => Task.FromResult(renew(request) is { } signed ? new NodeIdentity.Issued(signed, []) : null),
        () => renewals++, time, new Prng(seed), new Logger<CertificateRenewal>(logs.Factory));

    private async Task RunUntilAsync(NodeIdentity identity, Func<byte[], byte[]?> renew, Func<bool> enough)
    {
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        CertificateRenewal renewal = Renewal(identity, renew);
        Task running = Task.Run(() => renewal.RunAsync(stop.Token), Cancelled);
        while (!enough() && !running.IsFaulted)
        {
            await time.PassToNextTimerAsync(Cancelled);
        }

        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
    }

    private NodeIdentity Make(TimeSpan life) =>
        NodeIdentity.Create(folder.Path, authority, new(7), NodeRole.Worker, ClusterId, life, Start);

    private byte[] Sign(byte[] request, TimeSpan life, DateTimeOffset now) =>
        authority.SignNode(request, new(7), NodeRole.Worker, ClusterId, life, now).Value;
}
