using Microsoft.Extensions.Logging;
using Overlay.Daemon.Storage;
using Overlay.Primitives;

namespace Overlay.Daemon.Trust;

/// <summary>Renews this node's certificate at a random point between 50 and 80 % of its life, so that nodes do not crowd.</summary>
internal sealed partial class CertificateRenewal(
    NodeIdentity identity, Func<byte[], CancellationToken, Task<byte[]?>> renew, TimeProvider time, Prng prng,
    ILogger<CertificateRenewal> logger)
{
    private const double Earliest = 0.5;
    private const double Latest = 0.8;
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);
    /// <summary>A delay is cut to whole milliseconds; rounded up, the wait is over when it ends.</summary>
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(1);
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
                await Task.Delay(wait < LongestSleep ? wait + Tick : LongestSleep, time, cancellationToken);
                continue;
            }

            string? fault = await RenewAsync(cancellationToken);
            DateTimeOffset now = time.GetUtcNow();
            DateTimeOffset soonest = now + Pause;
            if (fault is null)
            {
                LogRenewed(identity.NotAfter);
                // A clock far ahead of the managers' would see every certificate as old.
                due = Next() is { } next && next > soonest ? next : soonest;
            }
            else
            {
                LogPostponed(identity.NotAfter, fault);
                due = soonest;
            }
        }
    }

    public DateTimeOffset Next()
    {
        TimeSpan life = identity.NotAfter - identity.NotBefore;
        return identity.NotBefore + (life * (Earliest + ((Latest - Earliest) * prng.NextDouble())));
    }

    /// <summary>Between two requests: a small part of a short life.</summary>
    private TimeSpan Pause
    {
        get
        {
            TimeSpan share = (identity.NotAfter - identity.NotBefore) / 20;
            return share < LongestPause ? share : LongestPause;
        }
    }

    /// <summary>Null: renewed. Else why not; the old certificate stays in use.</summary>
    private async Task<string?> RenewAsync(CancellationToken cancellationToken)
    {
        try
        {
            if (await renew(identity.CreateRequest(), cancellationToken) is not { } certificate)
            {
                return "no manager renewed it";
            }

            identity.Renew(certificate, time.GetUtcNow());
            return null;
        }
        catch (Exception e) when (e is InvalidDataException or StorageWriteException)
        {
            return e.Message;
        }
    }

    [LoggerMessage(EventId = 110, Level = LogLevel.Information, Message = "Certificate renewed, valid until {Until}")]
    private partial void LogRenewed(DateTimeOffset until);

    [LoggerMessage(EventId = 111, Level = LogLevel.Warning, Message = "The certificate, valid until {Until}, could not be renewed yet: {Reason}")]
    private partial void LogPostponed(DateTimeOffset until, string reason);
}
