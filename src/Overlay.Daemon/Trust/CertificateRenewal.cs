using Microsoft.Extensions.Logging;
using Overlay.Daemon.Storage;
using Overlay.Primitives;

namespace Overlay.Daemon.Trust;

/// <summary>
/// Renews this node's certificate at a random point between 50 and 80 % of its life, so that nodes do not crowd; within two
/// seconds when the cluster has a newer root than the one that signed it, and at once when the node has another role.
/// </summary>
/// <param name="renew">A new certificate for a PKCS#10 request; null: none can be had now.</param>
/// <param name="renewed">Called after each renewal.</param>
internal sealed partial class CertificateRenewal(
    NodeIdentity identity, Func<byte[], CancellationToken, Task<NodeIdentity.Issued?>> renew, Action renewed, TimeProvider time, Prng prng,
    ILogger<CertificateRenewal> logger)
{
    private const double Earliest = 0.5;
    private const double Latest = 0.8;
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    /// <summary>Between two attempts in vain, at first; doubled up to what is due at the latest.</summary>
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(250);

    /// <summary>A delay is cut to whole milliseconds; rounded up, the wait is over when it ends.</summary>
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan LongestSleep = TimeSpan.FromHours(1);
    private static readonly TimeSpan HasteSpread = TimeSpan.FromSeconds(2);

    private volatile TaskCompletionSource hastened = NewSignal();
    private volatile bool otherRole;

    /// <summary>The roots changed: looks at once whether another certificate is wanted.</summary>
    public void Hasten() => hastened.TrySetResult();

    /// <summary>What the certificate is to say; another one is fetched if it does not.</summary>
    public void Want(V1.NodeRole role)
    {
        otherRole = role != identity.Role;
        if (otherRole)
        {
            Hasten();
        }
    }

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        DateTimeOffset due = Next();
        TimeSpan pause = FirstPause;
        string told = "";
        while (!cancellationToken.IsCancellationRequested)
        {
            TimeSpan wait = due - time.GetUtcNow();
            if (wait > TimeSpan.Zero)
            {
                // In pieces: the clock may be set, and a timer's range is bounded.
                if (await HastenedWithinAsync(wait < LongestSleep ? wait + Tick : LongestSleep, cancellationToken)
                    && (otherRole || !identity.IsOfNewestRoot)
                    && time.GetUtcNow() + (otherRole ? TimeSpan.Zero : HasteSpread * prng.NextDouble()) is var soon && soon < due)
                {
                    due = soon;
                }

                continue;
            }

            string? fault = await RenewAsync(cancellationToken);
            DateTimeOffset now = time.GetUtcNow();
            DateTimeOffset soonest = now + Pause;
            if (fault is null)
            {
                LogRenewed(identity.NotAfter);
                otherRole = false;
                pause = FirstPause;
                told = "";
                renewed();
                // A clock far ahead of the managers' would see every certificate as old.
                due = Next() is { } next && next > soonest ? next : soonest;
            }
            else
            {
                if (told != fault)
                {
                    told = fault;
                    LogPostponed(identity.NotAfter, fault);
                }

                // Others wait for a node that is to have another role or root.
                TimeSpan longest = (otherRole || !identity.IsOfNewestRoot) && HasteSpread < Pause ? HasteSpread : Pause;
                due = now + (pause < longest ? pause : longest);
                pause = pause * 2 < longest ? pause * 2 : longest;
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

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private async Task<bool> HastenedWithinAsync(TimeSpan span, CancellationToken cancellationToken)
    {
        try
        {
            await hastened.Task.WaitAsync(span, time, cancellationToken);
            hastened = NewSignal();
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    /// <summary>Null: renewed. Else why not; the old certificate stays in use.</summary>
    private async Task<string?> RenewAsync(CancellationToken cancellationToken)
    {
        try
        {
            if (await renew(identity.CreateRequest(), cancellationToken) is not { } issued)
            {
                return "no manager renewed it";
            }

            identity.Renew(issued, time.GetUtcNow());
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
