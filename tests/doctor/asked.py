"""One rule alone, asked about a training: what it suspects, and which of its remedies helps."""

from dataclasses import dataclass

from glassgrad import optim
from glassgrad.doctor.patient import Patient
from glassgrad.doctor.probe import Probe
from glassgrad.doctor.rule import RULES, Suspicion
from glassgrad.doctor.trial import tried
from glassgrad.findings import Proof


@dataclass
class Answer:
    suspicion: Suspicion
    proof: Proof | None
    mended: Patient | None

    @property
    def evidence(self):
        return self.suspicion.evidence

    @property
    def where(self):
        return self.suspicion.where


def patient(net, loss, batches, optimizer=None, **others):
    batches = batches if isinstance(batches, list) else [batches]
    return Patient(net, loss, optimizer or optim.Adam(net.parameters(), lr=0.01), batches, **others)


def ask(fault, given, steps=40):
    """What the rule says of a patient, as it would be said: a suspicion that is not sure needs a remedy that helps."""
    probe, answers = Probe(given, steps), []
    assert probe.failed <= RULES[fault].whatever, probe.error
    for suspicion in RULES[fault].looks(probe):
        proofs = ((tried(probe, remedy), remedy) for remedy in suspicion.remedies)
        proof, remedy = next((pair for pair in proofs if pair[0].holds), (None, None))
        if proof is not None or suspicion.sure:
            mended = None if remedy is None else remedy.treated(given)
            answers.append(Answer(suspicion, proof, mended))
    return answers


def silent(given, *faults, steps=40):
    """That these rules, or all, say nothing of a patient."""
    for fault in faults or RULES:
        said = [each.suspicion.symptom for each in ask(fault, given, steps)]
        assert not said, (fault, said)
