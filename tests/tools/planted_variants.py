"""Texts as people mistype and abbreviate terms, with the id that is meant, from a seed. Nothing here knows how tools/harmonization
matches: keys that lie side by side, English and Latin plurals, pairs of American and British words and the abbreviations are this file's own.

A text that is another term's own label or synonym is no misspelling of the first, and is not planted.
"""

import random
import zlib

from cellxgene_ontology_guide.supported_versions import CXGSchema

ONTOLOGIES = {"cell_type": "CL", "tissue": "UBERON", "disease": "MONDO"}
KINDS = {"typo": 150, "two typos": 50, "case": 60, "plural": 60, "separators": 60, "synonym": 40, "british": 40, "abbreviation": 40}

_KEYS = ["qwertyuiop", "asdfghjkl", "zxcvbnm"]
_BRITISH = {"esophag": "oesophag", "leukemia": "leukaemia", "anemia": "anaemia", "hematopoie": "haematopoie", "tumor": "tumour", "fetal": "foetal",
            "cecum": "caecum", "edema": "oedema", "hemoglobin": "haemoglobin", "pediatric": "paediatric", "celiac": "coeliac", "fiber": "fibre",
            "ischemi": "ischaemi", "estrogen": "oestrogen", "hemorrhag": "haemorrhag", "color": "colour", "diarrhea": "diarrhoea", "orthopedic": "orthopaedic",
            "hematoma": "haematoma", "septicemia": "septicaemia", "uremi": "uraemi", "glycemi": "glycaemi", "lipidemia": "lipidaemia", "thalassemia": "thalassaemia",
            "hemophilia": "haemophilia", "gray matter": "grey matter", "sulfur": "sulphur", "behavior": "behaviour", "center": "centre", "labor": "labour",
            "cesarean": "caesarean", "gynecolog": "gynaecolog", "feces": "faeces", "hypoxemi": "hypoxaemi", "bacteremia": "bacteraemia", "hemangioma": "haemangioma",
            "hemolytic": "haemolytic", "rhinorrhea": "rhinorrhoea", "paralyze": "paralyse", "myxedema": "myxoedema", "catheterization": "catheterisation",
            "generalized": "generalised", "localized": "localised", "immunized": "immunised", "keratinized": "keratinised"}
_ABBREVIATIONS = {  # as papers use them; written down before any of them was looked up
    "disease": {"SLE": "MONDO:0007915", "CKD": "MONDO:0005300", "COPD": "MONDO:0005002", "T2D": "MONDO:0005148", "T1D": "MONDO:0005147", "AML": "MONDO:0018874",
                "CLL": "MONDO:0004948", "HCC": "MONDO:0007256", "NSCLC": "MONDO:0005233", "LUAD": "MONDO:0005061", "GBM": "MONDO:0018177", "IPF": "MONDO:0800504",
                "IBD": "MONDO:0005265", "ALS": "MONDO:0004976", "PD": "MONDO:0005180", "CF": "MONDO:0009061", "PDAC": "MONDO:0005184", "ccRCC": "MONDO:0005005",
                "MS": "MONDO:0005301", "HD": "MONDO:0007739", "TB": "MONDO:0018076", "OA": "MONDO:0005178", "CRC": "MONDO:0024331", "healthy": "PATO:0000461"},
    "cell_type": {"NK": "CL:0000623", "NK cells": "CL:0000623", "pDC": "CL:0000784", "pDCs": "CL:0000784", "cDC": "CL:0000990", "Treg": "CL:0000815",
                  "Tregs": "CL:0000815", "Tfh": "CL:0002038", "MAIT": "CL:0000940", "HSC": "CL:0000037", "HSCs": "CL:0000037", "OPC": "CL:0002453",
                  "OPCs": "CL:0002453", "RBC": "CL:0000232", "DCs": "CL:0000451", "Mono": "CL:0000576", "gdT": "CL:0000798", "ILC2": "CL:0001069",
                  "AT1": "CL:0002062", "AT2": "CL:0002063", "VSMC": "CL:0000359", "PBMCs": "CL:2000001", "CD4 T": "CL:0000624", "CD8+ T cells": "CL:0000625"},
    "tissue": {"BM": "UBERON:0002371", "PBMC": "UBERON:0000178", "PFC": "UBERON:0000451", "DLPFC": "UBERON:0009834", "CSF": "UBERON:0001359",
               "CNS": "UBERON:0001017", "SAT": "UBERON:0002190", "ACC": "UBERON:0009835", "BAT": "UBERON:0001348", "GI tract": "UBERON:0001555", "LV": "UBERON:0002084"},
}


def variants(seed, held_out):
    """[(kind, field, text, id)]: terms whose id has an odd checksum if `held_out`, else the others."""
    return _Planter(seed, held_out).planted()


class _Planter:
    def __init__(self, seed, held_out):
        self._random = random.Random(seed)
        guide = CXGSchema()
        self._terms, self._owners = {}, {}
        for field, name in ONTOLOGIES.items():
            known = {identifier: term for identifier, term in guide.ontology(name).items() if not term["deprecated"]}
            owners = self._owners.setdefault(field, {})
            for identifier, term in known.items():
                for phrase in (term["label"], *(term.get("synonyms") or [])):
                    owners.setdefault(phrase.lower(), set()).add(identifier)
            self._terms[field] = [(identifier, term["label"], term.get("synonyms") or []) for identifier, term in known.items()
                                  if zlib.crc32(identifier.encode()) % 2 == held_out and 4 <= len(term["label"]) <= 60 and term["label"].isascii()]

    def planted(self):
        return [variant for kind, count in KINDS.items() for variant in self._some(kind, count)]

    def _some(self, kind, count):
        if kind == "abbreviation":
            everything = [(kind, field, text, identifier) for field, pairs in _ABBREVIATIONS.items() for text, identifier in pairs.items()]
            return self._random.sample(everything, count)
        found = {}
        while len(found) < count:
            field = self._random.choice(list(self._terms))
            identifier, label, synonyms = self._random.choice(self._terms[field])
            text = self._variant(kind, field, identifier, label, synonyms)
            if text and self._owners[field].get(text.lower(), {identifier}) == {identifier}:
                found[field, text] = (kind, field, text, identifier)
        return list(found.values())

    def _variant(self, kind, field, identifier, label, synonyms):
        if kind == "synonym":
            own = [synonym for synonym in synonyms if self._owners[field][synonym.lower()] == {identifier} and synonym.lower() != label.lower()]
            return self._case(self._random.choice(own)) if own else None
        if kind == "british":
            american = [word for word in _BRITISH if word in label and _BRITISH[word] != word]
            return label.replace(american[0], _BRITISH[american[0]]) if american else None
        if kind == "two typos":
            once = self._typo(label) if len(label) >= 14 else None
            return once and self._typo(once)
        return {"typo": self._typo, "case": self._case, "plural": self._plural, "separators": self._separators}[kind](label)

    def _typo(self, text):
        """One slip in a word of five letters or more."""
        words = text.split(" ")
        long = [place for place, word in enumerate(words) if len(word) >= 5 and word.isalpha()]
        if not long:
            return None
        place = self._random.choice(long)
        word = words[place]
        at = self._random.randrange(len(word) - 1)
        slip = self._random.choice(["neighbour", "left out", "twice", "swapped"])
        if slip == "neighbour":
            row = next((row for row in _KEYS if word[at].lower() in row), "aeiou")
            beside = row[max(0, row.find(word[at].lower()) - 1) : row.find(word[at].lower()) + 2].replace(word[at].lower(), "")
            words[place] = word[:at] + self._random.choice(beside or "e") + word[at + 1 :]
        elif slip == "left out":
            words[place] = word[:at] + word[at + 1 :]
        elif slip == "twice":
            words[place] = word[: at + 1] + word[at:]
        else:
            words[place] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        return " ".join(words) if words[place] != word else None

    def _case(self, text):
        return self._random.choice([text.upper(), text.title(), text.swapcase(), text.capitalize(), text.lower()])

    def _plural(self, text):
        *before, word = text.split(" ")
        if len(word) < 4 or not word.isalpha() or word.isupper() or word.endswith("s") and not word.endswith(("us", "is")):
            return None
        latin = {"us": "i", "is": "es", "um": "a", "ex": "ices", "a": "ae"}
        for ending, plural in latin.items():
            if word.endswith(ending) and ending != "a":
                return " ".join([*before, word[: -len(ending)] + plural])
        if word.endswith("y") and word[-2] not in "aeiou":
            return " ".join([*before, word[:-1] + "ies"])
        return " ".join([*before, word + ("es" if word.endswith(("x", "ch", "sh", "z")) else "s")])

    def _separators(self, text):
        if " " not in text:
            return None
        return self._random.choice([text.replace(" ", "_"), text.replace(" ", "-"), text.replace(" ", "."), text.replace(" ", "  "), f" {text} ",
                                    text.replace(" ", ""), text.replace(",", ""), text.replace("-", " ")])
