using Microsoft.Extensions.Logging;
using Overlay.Primitives;

namespace Overlay.Daemon.Trust;

/// <summary>Renews this node's certificate at a random point between 50 and 80 % of its life, so that nodes do not crowd.</summary>
internal sealed partial class CertificateRenewal(
    NodeIdentity identity, Func<byte[], CancellationToken, Task<byte[]?>> renew, TimeProvider time, Prng prng,
    ILogger<CertificateRenewal> logger)
{
    private const double Earliest = 0.5;
    private const double Latest = 0.8;
    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LongestSleep = TimeSpan.FromHours(1);

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        DateTimeOffset due = Next();
        while (!cancellationToken.IsCancellationRequested)
        {
            TimeSpan wait = due - time.GetUtcNow();
            if (wait > TimeSpan.Zero)
            {
                // In pieces: the clock may be set, and a timer's range is bounded.
                await Task.Delay(wait < LongestSleep ? wait : LongestSleep, time, cancellationToken);
                continue;
            }

            if (await renew(identity.CreateRequest(), cancellationToken) is { } certificate)
            {
                identity.Renew(certificate);
                due = Next();
                LogRenewed(identity.NotAfter);
            }
            else
            {
                LogPostponed(identity.NotAfter);
                due = time.GetUtcNow() + Retry;
            }
        }
    }

    public DateTimeOffset Next()
    {
        TimeSpan life = identity.NotAfter - identity.NotBefore;
        return identity.NotBefore + (life * (Earliest + ((Latest - Earliest) * prng.NextDouble())));
    }

    [LoggerMessage(EventId = 110, Level = LogLevel.Information, Message = "Certificate renewed, valid until {Until}")]
    private partial void LogRenewed(DateTimeOffset until);

    [LoggerMessage(EventId = 111, Level = LogLevel.Warning, Message = "The certificate, valid until {Until}, could not be renewed yet")]
    private partial void LogPostponed(DateTimeOffset until);
}
