namespace Overlay.Dns;

/// <summary>What is to be done with a query.</summary>
public enum AnswerOutcome
{
    /// <summary>The response is written.</summary>
    Answered,

    /// <summary>Not ours: ask the host's servers.</summary>
    Forward,

    /// <summary>Say nothing.</summary>
    Drop,
}

/// <summary>Why a packet gets no response.</summary>
public enum DropReason
{
    None,
    TooShort,
    IsResponse,

    /// <summary>The caller's buffer does not even hold a header and the question.</summary>
    NoRoom,
}

/// <summary>The verdict on one query; the counters are kept from it.</summary>
/// <param name="Length">Bytes written to the response; 0 unless answered.</param>
/// <param name="Type">The type asked for, or <see cref="RecordType.None"/> if the question was not read.</param>
/// <param name="UdpLimit">Bytes of the largest UDP answer to this client, also for what is forwarded.</param>
public readonly record struct Answer(
    AnswerOutcome Outcome,
    int Length,
    ResponseCode Code,
    RecordType Type,
    DropReason Reason,
    bool IsTruncated,
    int UdpLimit);
