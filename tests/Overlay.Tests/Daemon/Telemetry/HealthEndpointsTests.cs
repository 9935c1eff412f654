using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Overlay.Daemon.Telemetry;

namespace Overlay.Tests.Daemon.Telemetry;

/// <summary>The endpoints on a real Kestrel.</summary>
public sealed class HealthEndpointsTests : IAsyncLifetime
{
    private readonly Instruments instruments = new();
    private readonly PrometheusText metrics;
    private readonly HttpClient client = new();
    private readonly WebApplication application;
    private string? gossip;
    private string? agent;

    public HealthEndpointsTests()
    {
        metrics = new(m => ReferenceEquals(m, instruments.Meter));
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new());
        builder.Services.AddRoutingCore();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(static kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        application = builder.Build();
        application.UseRouting();
        application.MapHealth(
            new(
                new HealthCheck("agent", () => agent, IsLiveness: true),
                new HealthCheck("gossip", () => gossip == "throw" ? throw new TimeoutException("late") : gossip)),
            metrics);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        await application.StartAsync();
        string address = application.Services.GetRequiredService<IServer>()
            .Features.Get<IServerAddressesFeature>()!.Addresses.First();
        client.BaseAddress = new(address);
    }

    [Theory]
    [InlineData(null, null, "/livez", 200, "ok")]
    [InlineData(null, null, "/readyz", 200, "ok")]
    [InlineData(null, null, "/readyz?verbose", 200, "[+]agent ok\n[+]gossip ok\nreadyz check passed\n")]
    [InlineData(null, "not synced", "/livez?verbose", 200, "[+]agent ok\nlivez check passed\n")]
    [InlineData(null, "not synced", "/readyz", 503, "[+]agent ok\n[-]gossip failed: not synced\nreadyz check failed\n")]
    [InlineData(null, "not synced", "/healthz", 503,
        "[+]agent ok\n[-]gossip failed: not synced\nhealthz check failed\n")]
    [InlineData(null, "not synced", "/readyz?exclude=gossip", 200, "ok")]
    [InlineData("stuck", null, "/livez", 503, "[-]agent failed: stuck\nlivez check failed\n")]
    [InlineData(null, "throw", "/readyz?exclude=agent", 503,
        "[-]gossip failed: the check itself failed: late\nreadyz check failed\n")]
    public async Task Probes(string? agentProblem, string? gossipProblem, string path, int status, string body)
    {
        (agent, gossip) = (agentProblem, gossipProblem);
        using HttpResponseMessage response = await client.GetAsync(path, Token);
        Assert.Equal((status, body), ((int)response.StatusCode, await response.Content.ReadAsStringAsync(Token)));
    }

    [Fact]
    public async Task Metrics()
    {
        instruments.DnsDrops.Add(1, new KeyValuePair<string, object?>("reason", "TooShort"));
        using HttpResponseMessage response = await client.GetAsync("/metrics", Token);
        Assert.Equal("text/plain; version=0.0.4; charset=utf-8", response.Content.Headers.ContentType!.ToString());
        Assert.Contains(
            "overlayd_dns_drops_total{reason=\"TooShort\"} 1\n",
            await response.Content.ReadAsStringAsync(Token),
            StringComparison.Ordinal);
        using HttpResponseMessage posted = await client.PostAsync("/metrics", null, Token);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, posted.StatusCode);
    }

    public async ValueTask DisposeAsync()
    {
        client.Dispose();
        await application.DisposeAsync();
        metrics.Dispose();
        instruments.Dispose();
    }
}
